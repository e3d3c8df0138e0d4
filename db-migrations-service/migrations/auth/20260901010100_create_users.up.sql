-- Accounts. A person is one account whatever the number of organizations and roles; those stand in
-- users.user_roles.
-- E-mails are unique whatever their case, through a unique index on lower(email): sign in with lower(email) =
-- lower($1).

create table auth.users (
    id uuid not null default gen_random_uuid(),
    email varchar(255) not null,
    password_hash varchar(255) not null,
    is_active boolean not null default true,
    is_verified boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint users_pkey primary key (id),
    constraint users_email_check check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$')
);

comment on table auth.users is 'Accounts: who can sign in. Name, roles and preferences of the person are in schema users.';
comment on column auth.users.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column auth.users.email is 'Address the person signs in with, as they wrote it; unique whatever its case.';
comment on column auth.users.password_hash is 'Argon2id hash of the password in PHC string form; never readable by app_user.';
comment on column auth.users.is_active is 'Whether the account may sign in at all, in any organization.';
comment on column auth.users.is_verified is 'Whether the person has shown that the address is theirs.';
comment on column auth.users.created_at is 'When the row was written (UTC).';
comment on column auth.users.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create unique index users_email_key on auth.users (lower(email));

comment on index auth.users_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index auth.users_email_key is 'Signs in and registers: one account by address, whatever its case.';

create trigger users_set_updated_at
    before update on auth.users
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table auth.users enable row level security;
alter table auth.users force row level security;

create policy owner_all on auth.users to auth_owner using (true) with check (true);
create policy service_all on auth.users to auth_service using (true) with check (true);

-- The columns are listed so that password_hash cannot be read. Accounts are made, changed and erased by the
-- auth service in its own role, for only it knows passwords; what administrators may do follows in a later
-- migration, once memberships exist.
grant select (id, email, is_active, is_verified, created_at, updated_at) on auth.users to app_user;

create policy self_select on auth.users for select to app_user
    using (id = (select auth.uid()));
