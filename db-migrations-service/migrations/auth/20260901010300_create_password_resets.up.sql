-- Single-use permissions to set a new password. Nobody who is signed in has business here, not even with
-- their own rows: app_user gets no grant and no policy, and the auth service works in its own role.

create table auth.password_resets (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    token varchar(255) not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    created_at timestamptz not null default now(),
    constraint password_resets_pkey primary key (id),
    constraint password_resets_token_key unique (token),
    constraint password_resets_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

comment on table auth.password_resets is 'Permissions to set a new password, each usable once and briefly; hashes only.';
comment on column auth.password_resets.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column auth.password_resets.user_id is 'Whose password may be set.';
comment on column auth.password_resets.token is 'Hash of the token that was mailed, never the token as issued.';
comment on column auth.password_resets.expires_at is 'From when on the token is void.';
comment on column auth.password_resets.used_at is 'When the token was used; NULL while it can be.';
comment on column auth.password_resets.created_at is 'When the row was written (UTC).';

create index password_resets_user_id_idx on auth.password_resets (user_id);
create index password_resets_expires_at_idx on auth.password_resets (expires_at);

comment on index auth.password_resets_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index auth.password_resets_token_key is 'Redeems a reset by the hash of its token.';
comment on index auth.password_resets_user_id_idx is 'Voids the open resets of a user; cascades from auth.users.';
comment on index auth.password_resets_expires_at_idx is 'Sweeps resets that expired.';

alter table auth.password_resets enable row level security;
alter table auth.password_resets force row level security;

create policy owner_all on auth.password_resets to auth_owner using (true) with check (true);
create policy service_all on auth.password_resets to auth_service using (true) with check (true);
