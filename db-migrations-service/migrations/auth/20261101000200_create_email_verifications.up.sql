-- Single-use proofs that an address is somebody's. A table beside password_resets, so that neither can be taken for the
-- other. As there, app_user gets no grant and no policy: the auth service works in its own role.

create table auth.email_verifications (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    email varchar(255) not null,
    token varchar(255) not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    created_at timestamptz not null default now(),
    constraint email_verifications_pkey primary key (id),
    constraint email_verifications_token_key unique (token),
    constraint email_verifications_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

comment on table auth.email_verifications is 'Proofs that an address belongs to the account, each usable once; hashes only.';
comment on column auth.email_verifications.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column auth.email_verifications.user_id is 'Whose address is to be shown.';
comment on column auth.email_verifications.email is 'The address that the token was mailed to; another one by now makes it void.';
comment on column auth.email_verifications.token is 'Hash of the token that was mailed, never the token as issued.';
comment on column auth.email_verifications.expires_at is 'From when on the token is void.';
comment on column auth.email_verifications.used_at is 'When the token was used; NULL while it can be.';
comment on column auth.email_verifications.created_at is 'When the row was written (UTC).';

create index email_verifications_user_id_idx on auth.email_verifications (user_id);
create index email_verifications_expires_at_idx on auth.email_verifications (expires_at);

comment on index auth.email_verifications_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index auth.email_verifications_token_key is 'Redeems a proof by the hash of its token.';
comment on index auth.email_verifications_user_id_idx is 'Voids the open proofs of a user; cascades from auth.users.';
comment on index auth.email_verifications_expires_at_idx is 'Sweeps proofs that expired.';

alter table auth.email_verifications enable row level security;
alter table auth.email_verifications force row level security;

create policy owner_all on auth.email_verifications to auth_owner using (true) with check (true);
create policy service_all on auth.email_verifications to auth_service using (true) with check (true);
