-- Undoes create_files.

drop table files.files;
revoke usage on schema files from app_user;
