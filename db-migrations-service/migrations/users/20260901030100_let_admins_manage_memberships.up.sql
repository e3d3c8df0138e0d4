-- An administrator gives, suspends and takes away roles in their own school. A claim lives as long as its
-- token; a membership taken away must lose this power at once, so these policies look the membership up
-- instead of trusting the claim.
-- The lookups are SECURITY DEFINER because a policy on user_roles that read user_roles would recurse, and
-- plpgsql because a SQL function of that kind is planned again in every transaction.
-- requires: auth/20260901010000

create function users.my_admin_organization()
    returns uuid
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return (
        select r.organization_id
        from users.user_roles r
        where r.user_id = auth.uid()
          and r.organization_id = auth.org()
          and r.role = 'admin'
          and r.is_active
          and auth.role() = 'admin'
    );
end
$$;

comment on function users.my_admin_organization() is 'The organization of the claims if the caller signed in as its admin and still is one; NULL otherwise.';
grant execute on function users.my_admin_organization() to app_user;

create function users.my_organization_users()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select distinct r.user_id
        from users.user_roles r
        where r.organization_id = (select users.my_admin_organization())
    );
end
$$;

comment on function users.my_organization_users() is 'Everybody who holds a role, suspended ones included, in the organization the caller administers; empty for all others.';
grant execute on function users.my_organization_users() to app_user;

create function users.my_managed_users()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
declare
    my_organization uuid := users.my_admin_organization();
begin
    return array(
        select distinct r.user_id
        from users.user_roles r
        where r.organization_id = my_organization
          and not exists (
              select from users.user_roles elsewhere
              where elsewhere.user_id = r.user_id
                and elsewhere.organization_id is distinct from my_organization
          )
    );
end
$$;

comment on function users.my_managed_users() is 'Those of my_organization_users() who belong to no other organization: only of them may an admin touch what is the person''s rather than the school''s (account, profile, sessions, chats). Empty for all but admins.';
grant execute on function users.my_managed_users() to app_user;

create function users.may_join_my_organization(candidate uuid)
    returns boolean
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return users.my_admin_organization() is not null
       and not exists (
           select from users.user_roles r
           where r.user_id = candidate
             and r.organization_id is distinct from (select users.my_admin_organization())
       );
end
$$;

comment on function users.may_join_my_organization(uuid) is 'Whether the caller, as an admin, may give the candidate a role: nobody who belongs to another organization, or to the platform, can be claimed by it.';
grant execute on function users.may_join_my_organization(uuid) to app_user;

-- Otherwise an admin could make any user of the platform a member of their school and thereby read that
-- person's profile. People who already belong elsewhere are invited and added by the user service, with their
-- consent.
-- Nobody changes their own membership: no admin locks a school out of itself by a slip.
grant insert, delete on users.user_roles to app_user;
grant update (is_active) on users.user_roles to app_user;

create policy admin_insert on users.user_roles for insert to app_user
    with check (
        organization_id = (select users.my_admin_organization())
        and users.may_join_my_organization(user_id)
    );

create policy admin_update on users.user_roles for update to app_user
    using (organization_id = (select users.my_admin_organization()) and user_id <> (select auth.uid()))
    with check (organization_id = (select users.my_admin_organization()) and user_id <> (select auth.uid()));

create policy admin_delete on users.user_roles for delete to app_user
    using (organization_id = (select users.my_admin_organization()) and user_id <> (select auth.uid()));
