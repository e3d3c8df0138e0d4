-- Administrators bring people along who have no account yet. What they open is an account without a usable password and
-- without a shown address: nobody signs in with it before somebody has opened a letter in that mailbox and chosen a password.
-- Whoever has an account already keeps it as it is, and the administrator is not told which of both it was. But an account whose
-- address nobody has shown may be a stranger's, who registered with it and waits for the owner to confirm: its password and the
-- links that were sent for it are void from now on, and whoever reads that mailbox chooses the password.
-- requires: users/20260901030100

create function auth.only_people_services()
    returns void
    language plpgsql stable
    set search_path = ''
as $$
begin
    -- The organization service appoints founders; the last two are migrations and seeds.
    if not (
        pg_has_role(session_user, 'auth_service', 'member')
        or pg_has_role(session_user, 'organizations_service', 'member')
        or pg_has_role(session_user, 'users_service', 'member')
        or pg_has_role(session_user, 'auth_owner', 'member')
        or pg_has_role(session_user, 'users_owner', 'member')
    ) then
        raise insufficient_privilege using message = 'only services that write people may call this';
    end if;
end
$$;

comment on function auth.only_people_services() is 'Refuses whoever did not sign in to the database as a service that writes people: auth, user or organization.';

create function auth.account(person uuid)
    returns table (email text, is_active boolean, is_verified boolean)
    language plpgsql stable security definer
    set search_path = ''
as $$
begin
    perform auth.only_people_services();
    return query select u.email::text, u.is_active, u.is_verified from auth.users u where u.id = person;
end
$$;

comment on function auth.account(uuid) is 'Address and state of an account. For schema users, in sessions of services that write people.';

create function auth.open_account(address text)
    returns uuid
    language plpgsql security definer
    set search_path = ''
as $$
declare
    person uuid;
begin
    perform auth.only_people_services();
    if users.my_admin_organization() is null then
        raise insufficient_privilege using message = 'only administrators open accounts for others';
    end if;
    -- A hash of the usual form and cost, of no password: its salt and its output are random.
    insert into auth.users (email, password_hash)
    values (
        address,
        '$argon2id$v=19$m=19456,t=2,p=1$'
            || rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '=') || '$'
            || rtrim(encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'), '=')
    )
    on conflict (lower(email)) do update set password_hash = excluded.password_hash where not users.is_verified
    returning id into person;
    if person is null then
        select u.id into person from auth.users u where lower(u.email) = lower(address);
    else
        update auth.email_verifications v
        set expires_at = now()
        where v.user_id = person and v.used_at is null and v.expires_at > now();
    end if;
    return person;
end
$$;

comment on function auth.open_account(text) is 'The account with this address, opened where there is none: without a usable password. By an administrator, in sessions of the user service.';

create function auth.begin_reset(person uuid, token_hash text)
    returns void
    language plpgsql security definer
    set search_path = ''
as $$
begin
    if not pg_has_role(session_user, 'users_service', 'member') then
        raise insufficient_privilege using message = 'only the user service may call this';
    end if;
    insert into auth.password_resets (user_id, email, token, expires_at)
    select u.id, u.email, token_hash, now() + interval '10 minutes'
    from auth.users u
    where u.id = person
      and u.is_active
      and not u.is_verified;
end
$$;

comment on function auth.begin_reset(uuid, text) is 'Lets who has just accepted an invitation choose a password, within ten minutes, where the account never had one. For the user service alone.';
