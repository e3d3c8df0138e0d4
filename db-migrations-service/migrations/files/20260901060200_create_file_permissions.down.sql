-- Undoes create_file_permissions.

drop policy shared_delete on files.file_metadata;
drop policy shared_update on files.file_metadata;
drop policy shared_insert on files.file_metadata;
drop policy shared_delete on files.files;
drop policy shared_update on files.files;
drop policy shared_select on files.files;
drop table files.file_permissions;
drop function files.my_shared_files(text);
