-- Undoes create_password_resets.

drop table auth.password_resets;
