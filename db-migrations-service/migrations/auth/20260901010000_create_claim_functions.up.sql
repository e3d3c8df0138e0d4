-- Who is asking. A service opens a transaction, takes the role app_user and puts the token's claims into
-- request.jwt.claims, both for that transaction only; policies read them through these three functions.
-- Policies call them inside a scalar subquery, so that they are evaluated once per statement and not once per
-- row: organization_id = (select auth.org() where auth.role() = 'admin') is NULL, hence no row and no index
-- scan, for everyone who is not an admin.
-- After its first transaction a pooled connection holds '' instead of NULL in the setting, which is no JSON:
-- hence the nullif. Claims that are no JSON, or ids that are no UUID, raise an error: a request whose
-- identity cannot be read must not go on as nobody.

grant usage on schema auth to app_user;

create function auth.uid()
    returns uuid
    language sql stable parallel safe
as $$
    select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid
$$;

comment on function auth.uid() is 'The signed-in user: claim "sub" of the request, NULL without one.';

create function auth.org()
    returns uuid
    language sql stable parallel safe
as $$
    select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'org', '')::uuid
$$;

comment on function auth.org() is 'The organization the user signed in to: claim "org" of the request, NULL without one.';

create function auth.role()
    returns text
    language sql stable parallel safe
as $$
    select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role', '')
$$;

comment on function auth.role() is 'The role in which the user signed in: claim "role" of the request (admin, teacher, student, parent), NULL without one.';

grant execute on function auth.uid(), auth.org(), auth.role() to app_user;
