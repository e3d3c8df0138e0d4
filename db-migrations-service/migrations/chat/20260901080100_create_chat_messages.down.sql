-- Undoes create_chat_messages.

drop table chat.chat_messages;
drop function chat.my_managed_sessions();
drop function chat.my_sessions();
