-- Whoever holds the role admin without an organization runs the platform: founds schools, suspends them and opens them again. It
-- is looked up whenever it counts, for it gives more power than any claim may carry for ten minutes.
-- Nobody gives it through the API: a person who signs in to the database does.

create function users.am_platform_admin()
    returns boolean
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return auth.role() = 'admin'
       and auth.org() is null
       and exists (
           select from users.user_roles r
           where r.user_id = auth.uid()
             and r.organization_id is null
             and r.role = 'admin'
             and r.is_active
       );
end
$$;

comment on function users.am_platform_admin() is 'Whether the caller signed in as an administrator of the platform and still is one.';
grant execute on function users.am_platform_admin() to app_user;

create function users.appoint_founder(organization uuid)
    returns void
    language plpgsql security definer
    set search_path = ''
as $$
begin
    if users.am_platform_admin() is not true then
        raise insufficient_privilege using message = 'only an administrator of the platform founds a school';
    end if;
    insert into users.user_roles (user_id, role, organization_id) values (auth.uid(), 'admin', organization);
end
$$;

comment on function users.appoint_founder(uuid) is 'Makes the caller, an administrator of the platform, the first administrator of a school that was founded just now. For schema organizations.';
