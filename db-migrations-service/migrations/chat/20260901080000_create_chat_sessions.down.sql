-- Undoes create_chat_sessions.

drop table chat.chat_sessions;
revoke usage on schema chat from app_user;
