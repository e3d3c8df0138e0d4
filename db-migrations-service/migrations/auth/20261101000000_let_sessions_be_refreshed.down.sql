-- Undoes let_sessions_be_refreshed: nobody can refresh a session any more, so everybody has to sign in anew.

grant delete on auth.sessions to app_user;
create policy self_delete on auth.sessions for delete to app_user
    using (user_id = (select auth.uid()));

drop trigger sessions_keep_end on auth.sessions;
drop function auth.keep_session_end();
drop index auth.sessions_ended_at_idx;

alter table auth.sessions
    drop column user_agent,
    drop column address,
    drop column ended_at,
    drop column ends_at,
    drop column refreshed_at,
    drop column refresh_salt,
    drop column previous_refresh_token,
    drop column role,
    drop column organization_id;

comment on column auth.sessions.token is 'Hash of the session token, never the token as issued.';
comment on column auth.sessions.refresh_token is 'Hash of the current refresh token, never the token as issued; NULL when the session cannot be refreshed.';
comment on column auth.sessions.expires_at is 'From when on the session is void, whatever is_active says.';
