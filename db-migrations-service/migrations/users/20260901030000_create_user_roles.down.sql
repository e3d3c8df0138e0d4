-- Undoes create_user_roles.

drop table users.user_roles;
revoke usage on schema users from app_user;
