-- One row per sign-in. A session ends by is_active = false, which a user may do to their own from any device.
-- Tokens are kept as hashes only: whoever reads this table or a backup of it can impersonate nobody.

create table auth.sessions (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    token varchar(500) not null,
    refresh_token varchar(500),
    expires_at timestamptz not null,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    constraint sessions_pkey primary key (id),
    constraint sessions_token_key unique (token),
    constraint sessions_refresh_token_key unique (refresh_token),
    constraint sessions_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

comment on table auth.sessions is 'Sign-ins and their refresh tokens, one row per device; hashes only.';
comment on column auth.sessions.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column auth.sessions.user_id is 'Whose session it is.';
comment on column auth.sessions.token is 'Hash of the session token, never the token as issued.';
comment on column auth.sessions.refresh_token is 'Hash of the current refresh token, never the token as issued; NULL when the session cannot be refreshed.';
comment on column auth.sessions.expires_at is 'From when on the session is void, whatever is_active says.';
comment on column auth.sessions.is_active is 'False once signed out or revoked; never true again.';
comment on column auth.sessions.created_at is 'When the row was written (UTC).';

create index sessions_user_id_idx on auth.sessions (user_id, created_at desc);
create index sessions_expires_at_idx on auth.sessions (expires_at);

comment on index auth.sessions_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index auth.sessions_token_key is 'Validates a session by the hash of its token.';
comment on index auth.sessions_refresh_token_key is 'Refreshes a session by the hash of its refresh token; a hash seen twice would be a replay.';
comment on index auth.sessions_user_id_idx is 'Lists the sessions of a user, newest first; filters self_select; cascades from auth.users.';
comment on index auth.sessions_expires_at_idx is 'Sweeps sessions that expired.';

alter table auth.sessions enable row level security;
alter table auth.sessions force row level security;

create policy owner_all on auth.sessions to auth_owner using (true) with check (true);
create policy service_all on auth.sessions to auth_service using (true) with check (true);

-- The token columns are left out: even their hashes are the auth service's alone. The check makes revoking a
-- one-way street: no user can bring a revoked session back.
grant select (id, user_id, expires_at, is_active, created_at) on auth.sessions to app_user;
grant update (is_active) on auth.sessions to app_user;
grant delete on auth.sessions to app_user;

create policy self_select on auth.sessions for select to app_user
    using (user_id = (select auth.uid()));

create policy self_update on auth.sessions for update to app_user
    using (user_id = (select auth.uid()))
    with check (user_id = (select auth.uid()) and not is_active);

create policy self_delete on auth.sessions for delete to app_user
    using (user_id = (select auth.uid()));
