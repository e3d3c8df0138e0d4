-- Undoes let_admins_manage_memberships.

revoke update (is_active) on users.user_roles from app_user;
revoke insert, delete on users.user_roles from app_user;
drop policy admin_delete on users.user_roles;
drop policy admin_update on users.user_roles;
drop policy admin_insert on users.user_roles;
drop function users.may_join_my_organization(uuid);
drop function users.my_managed_users();
drop function users.my_organization_users();
drop function users.my_admin_organization();
