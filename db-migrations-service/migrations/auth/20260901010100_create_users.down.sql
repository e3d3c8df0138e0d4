-- Undoes create_users.

drop table auth.users;
