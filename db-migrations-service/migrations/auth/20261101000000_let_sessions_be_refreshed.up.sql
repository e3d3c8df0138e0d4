-- A session knows what its refresh tokens need, where and as what somebody signed in, and when it ended.
-- A refresh token is two random parts. The first one is of the session and stays: its hash stands in token, so that a token
-- that was replaced long ago still finds its session, which then ends. The second one is replaced at every use, by an
-- HMAC of itself over refresh_salt: whoever presents the last one again in time is given the same next one.
-- A session that ended is kept until no access token of it is believed any more, and told to all services until then. So
-- nobody but the auth service deletes one: a user's DELETE would take the session out of that list.

alter table auth.sessions
    add column organization_id uuid,
    add column role varchar(20),
    add column previous_refresh_token varchar(500),
    add column refresh_salt bytea,
    add column refreshed_at timestamptz,
    add column ends_at timestamptz,
    add column ended_at timestamptz,
    add column address inet,
    add column user_agent varchar(400);

comment on column auth.sessions.token is 'Hash of the part of the refresh token that stays the same for the whole session, never that part itself.';
comment on column auth.sessions.refresh_token is 'Hash of the part of the current refresh token that is replaced, never that part itself; NULL when the session cannot be refreshed.';
comment on column auth.sessions.expires_at is 'From when on the session is void, whatever is_active says: moved on by every refresh, never past ends_at.';
comment on column auth.sessions.organization_id is 'In which organization the user signed in; NULL without one. No foreign key: it is looked up at every refresh.';
comment on column auth.sessions.role is 'As what the user signed in there; NULL without an organization.';
comment on column auth.sessions.previous_refresh_token is 'Hash of the refresh token before the current one: good for a moment more, for who lost the answer.';
comment on column auth.sessions.refresh_salt is 'What the current refresh token was made of the previous one with.';
comment on column auth.sessions.refreshed_at is 'When the current refresh token was issued (UTC).';
comment on column auth.sessions.ends_at is 'When the session ends however much it is used (UTC).';
comment on column auth.sessions.ended_at is 'When it was signed out or revoked (UTC), kept by trigger; NULL while it is active.';
comment on column auth.sessions.address is 'Address from which the session was last refreshed.';
comment on column auth.sessions.user_agent is 'What the client calls itself, as it was said at sign-in.';

create index sessions_ended_at_idx on auth.sessions (ended_at) where ended_at is not null;

comment on index auth.sessions_ended_at_idx is 'Tells the services which sessions ended while access tokens of theirs may live.';

create function auth.keep_session_end()
    returns trigger
    language plpgsql
    set search_path = ''
as $$
begin
    new.ended_at := now();
    return new;
end
$$;

comment on function auth.keep_session_end() is 'Trigger: writes down when a session ended, whoever ends it.';

create trigger sessions_keep_end
    before update on auth.sessions
    for each row
    when (old.is_active and not new.is_active)
    execute function auth.keep_session_end();

grant select (organization_id, role, refreshed_at, ends_at, ended_at, address, user_agent) on auth.sessions to app_user;

drop policy self_delete on auth.sessions;
revoke delete on auth.sessions from app_user;
