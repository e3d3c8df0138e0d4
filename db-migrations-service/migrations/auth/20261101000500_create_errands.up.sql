-- What a request has promised and a worker does afterwards: accounts and letters. Written in the request's transaction, so that
-- nothing is promised that does not happen; and always written, also where there is nobody to write to, so that the time
-- of an answer does not tell who has an account: the worker finds out. Tokens are made when their letter is sent, so none
-- lies here.

create table auth.errands (
    id uuid not null default gen_random_uuid(),
    kind varchar(30) not null,
    details jsonb not null,
    due_at timestamptz not null default now(),
    attempts integer not null default 0,
    last_error text,
    created_at timestamptz not null default now(),
    constraint errands_pkey primary key (id),
    constraint errands_kind_check check (kind in ('register', 'verify', 'reset', 'password_changed', 'new_sign_in'))
);

comment on table auth.errands is 'Accounts to be made and letters to be sent; a row is gone once it is done.';
comment on column auth.errands.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column auth.errands.kind is 'What is to be done: register, verify, reset, password_changed or new_sign_in.';
comment on column auth.errands.details is 'For whom and with what, by kind; of a registration the hash of its password.';
comment on column auth.errands.due_at is 'When it is next tried (UTC); ahead of now while somebody is at it.';
comment on column auth.errands.attempts is 'How often it was tried.';
comment on column auth.errands.last_error is 'Why it failed last; NULL while it has not.';
comment on column auth.errands.created_at is 'When the row was written (UTC).';

create index errands_due_at_idx on auth.errands (due_at);

comment on index auth.errands_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index auth.errands_due_at_idx is 'Takes up what is due, oldest first.';

alter table auth.errands enable row level security;
alter table auth.errands force row level security;

create policy owner_all on auth.errands to auth_owner using (true) with check (true);
create policy service_all on auth.errands to auth_service using (true) with check (true);
