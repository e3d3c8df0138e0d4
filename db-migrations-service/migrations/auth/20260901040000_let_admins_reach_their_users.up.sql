-- An administrator sees the accounts of their school, blocks them and ends their sessions. It comes after
-- schema users because an account's school is known only by its memberships.
-- Blocking an account and ending sessions act in every organization of the person, so they are limited to
-- people who belong to no other; a shared person is suspended through users.user_roles.is_active.

grant update (is_active) on auth.users to app_user;

create policy admin_select on auth.users for select to app_user
    using (id = any ((select users.my_organization_users() where auth.role() = 'admin')::uuid[]));

create policy admin_update on auth.users for update to app_user
    using (
        id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[])
        and id <> (select auth.uid())
    )
    with check (
        id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[])
        and id <> (select auth.uid())
    );

create policy admin_select on auth.sessions for select to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));

create policy admin_update on auth.sessions for update to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]))
    with check (
        user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[])
        and not is_active
    );
