-- Undoes end_sessions_of_the_blocked.

drop function auth.end_sessions(uuid);
drop function auth.set_account_active(uuid, boolean);
drop function auth.end_sessions_of_membership(uuid, uuid, text);
drop trigger users_end_sessions on auth.users;
drop function auth.end_sessions_of_blocked();
