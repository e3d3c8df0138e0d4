-- Undoes create_roles.

drop table public.roles;
