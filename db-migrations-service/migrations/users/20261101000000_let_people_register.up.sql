-- What the auth service asks of this schema, and writes into it in its own transaction: who somebody is when they sign in, and a
-- person when they register. Nobody is signed in then, so no policy could allow it.
-- Services that may reference this schema may call its functions. These give power and tell of people, so they ask for the
-- role that signed in to the database: session_user, which neither SET ROLE nor SECURITY DEFINER changes.
-- requires: organizations/20261101000000

create function users.only_auth_service()
    returns void
    language plpgsql stable
    set search_path = ''
as $$
begin
    if not pg_has_role(session_user, 'auth_service', 'member') then
        raise insufficient_privilege using message = 'only the auth service may call this';
    end if;
end
$$;

comment on function users.only_auth_service() is 'Refuses whoever did not sign in to the database as the auth service.';

create function users.who_signs_in(person uuid)
    returns table (first_name text, last_name text, language text, memberships jsonb)
    language plpgsql stable security definer
    set search_path = ''
as $$
begin
    perform users.only_auth_service();
    return query
        select p.first_name::text, p.last_name::text, coalesce(f.language, 'es')::text, coalesce(m.held, '[]')
        from (values (person)) as asked (id)
        left join users.user_profiles p on p.user_id = asked.id
        left join users.user_preferences f on f.user_id = asked.id
        left join lateral (
            select jsonb_agg(
                jsonb_build_object('organizationId', r.organization_id, 'role', r.role, 'organization', school.name)
                order by r.created_at, r.id
            ) as held
            from users.user_roles r
            left join lateral organizations.admission(r.organization_id) school on true
            where r.user_id = asked.id
              and r.is_active
              and (r.organization_id is null or school.is_active)
        ) m on true;
end
$$;

comment on function users.who_signs_in(uuid) is 'Name, language and active memberships, eldest first, of who signs in. For the auth service alone.';

create function users.may_register(organization uuid, wanted_role text)
    returns table (organization_name text, is_open boolean)
    language plpgsql stable security definer
    set search_path = ''
as $$
begin
    perform users.only_auth_service();
    return query
        select school.name, wanted_role = any (school.open_roles)
        from organizations.admission(organization) school
        where school.is_active;
end
$$;

comment on function users.may_register(uuid, text) is 'Of an active school: its name, and whether who registers in this role belongs to it at once. No row where there is no such school. For the auth service alone.';

create function users.register_person(
    person uuid, first_name text, last_name text, language text, organization uuid, wanted_role text
)
    returns boolean
    language plpgsql security definer
    set search_path = ''
as $$
declare
    at_once boolean;
begin
    perform users.only_auth_service();
    insert into users.user_profiles (user_id, first_name, last_name) values (person, first_name, last_name);
    insert into users.user_preferences (user_id, language) values (person, language);
    if organization is null then
        return null;
    end if;
    if wanted_role = 'admin' then
        raise insufficient_privilege using message = 'nobody becomes an administrator by registering';
    end if;
    select school.is_open into at_once from users.may_register(organization, wanted_role) school;
    if at_once is null then
        return null;
    end if;
    insert into users.user_roles (user_id, role, organization_id, is_active)
    values (person, wanted_role, organization, at_once);
    return at_once;
end
$$;

comment on function users.register_person(uuid, text, text, text, uuid, text) is 'Writes profile, preferences and membership of who registered: active where the school lets this role join by itself, otherwise waiting for an administrator. Whether it is active; NULL without one. For the auth service alone.';
