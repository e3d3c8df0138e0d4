-- Undoes create_sessions.

drop table auth.sessions;
