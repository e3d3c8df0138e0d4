-- Undoes create_file_metadata.

drop table files.file_metadata;
