-- Undoes let_admins_reach_their_users.

drop policy admin_update on auth.sessions;
drop policy admin_select on auth.sessions;
drop policy admin_update on auth.users;
drop policy admin_select on auth.users;
revoke update (is_active) on auth.users from app_user;
