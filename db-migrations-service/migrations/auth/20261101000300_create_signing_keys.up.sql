-- The keys that sign access tokens, sealed with a key that no table holds: whoever reads this one or a backup of it can
-- sign nothing. One signs, the next one is published a day before it does, the last one until what it signed is over.

create table auth.signing_keys (
    key_id varchar(64) not null,
    sealed bytea not null,
    signs_from timestamptz not null,
    published_until timestamptz,
    created_at timestamptz not null default now(),
    constraint signing_keys_pkey primary key (key_id)
);

comment on table auth.signing_keys is 'Keys that sign access tokens, private halves sealed.';
comment on column auth.signing_keys.key_id is 'Id under which the public half is published: its thumbprint (RFC 7638).';
comment on column auth.signing_keys.sealed is 'The private key, sealed with a key made of AUTH_SERVICE_JWT_SECRET.';
comment on column auth.signing_keys.signs_from is 'From when on it signs; it is published before (UTC).';
comment on column auth.signing_keys.published_until is 'Until when its public half is published (UTC); NULL while it has no successor.';
comment on column auth.signing_keys.created_at is 'When the row was written (UTC).';

comment on index auth.signing_keys_pkey is 'Reads, changes and deletes one row by id; there are a handful.';

alter table auth.signing_keys enable row level security;
alter table auth.signing_keys force row level security;

create policy owner_all on auth.signing_keys to auth_owner using (true) with check (true);
create policy service_all on auth.signing_keys to auth_service using (true) with check (true);
