-- Undoes create_chat_files.

drop table chat.chat_files;
