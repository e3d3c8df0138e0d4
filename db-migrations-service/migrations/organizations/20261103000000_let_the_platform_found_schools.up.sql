-- Administrators of the platform found schools, suspend them and open them again, each in their own transaction. They see all
-- schools, and nothing of what is in them.
-- requires: users/20261103000000, auth/20261103000000

-- The role and the missing organization are looked at first: they cost nothing, and nobody else is looked up.
create policy platform_select on organizations.organizations for select to app_user
    using ((select users.am_platform_admin() where auth.role() = 'admin' and auth.org() is null));

create function organizations.found(
    name text, description text, logo_url text, website text, email text, phone text, address text
)
    returns uuid
    language plpgsql security definer
    set search_path = ''
as $$
declare
    founded uuid;
begin
    if users.am_platform_admin() is not true then
        raise insufficient_privilege using message = 'only an administrator of the platform founds a school';
    end if;
    insert into organizations.organizations (name, description, logo_url, website, email, phone, address)
    values (name, description, logo_url, website, email, phone, address)
    returning id into founded;
    perform users.appoint_founder(founded);
    return founded;
end
$$;

comment on function organizations.found(text, text, text, text, text, text, text) is 'Founds a school, whose first administrator is the caller, an administrator of the platform. Its id.';
grant execute on function organizations.found(text, text, text, text, text, text, text) to app_user;

create function organizations.set_active(organization uuid, active boolean)
    returns boolean
    language plpgsql security definer
    set search_path = ''
as $$
begin
    if users.am_platform_admin() is not true then
        return false;
    end if;
    update organizations.organizations set is_active = active where id = organization;
    return found;
end
$$;

comment on function organizations.set_active(uuid, boolean) is 'Suspends a school or opens it again, by an administrator of the platform. False where the caller is none, or there is no such school.';
grant execute on function organizations.set_active(uuid, boolean) to app_user;

create function organizations.end_sessions_of_suspended()
    returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    perform auth.end_sessions_of_organization(new.id);
    return null;
end
$$;

comment on function organizations.end_sessions_of_suspended() is 'Trigger: ends the sessions of a school that may not use the platform any more.';

create trigger organizations_end_sessions_when_suspended
    after update on organizations.organizations
    for each row
    when (old.is_active and not new.is_active)
    execute function organizations.end_sessions_of_suspended();
