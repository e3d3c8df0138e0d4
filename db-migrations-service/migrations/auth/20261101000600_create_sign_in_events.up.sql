-- Who signed in, tried to, or changed what signing in depends on: for the person, who recognises what was not them; for the
-- administrators of who belongs to their school alone; and for the limits, which let an address pass that the person has
-- signed in from before.
-- What was typed is not kept where there is no such account: people type passwords into the wrong field.

create table auth.sign_in_events (
    id uuid not null default gen_random_uuid(),
    user_id uuid,
    session_id uuid,
    outcome varchar(30) not null,
    address inet,
    user_agent varchar(400),
    created_at timestamptz not null default now(),
    constraint sign_in_events_pkey primary key (id),
    constraint sign_in_events_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
    constraint sign_in_events_outcome_check check (outcome in (
        'signed_in', 'wrong_password', 'unknown_account', 'not_verified', 'blocked', 'signed_out', 'session_ended',
        'refresh_reused', 'password_changed', 'password_reset', 'email_verified', 'registered'
    ))
);

comment on table auth.sign_in_events is 'Sign-ins, attempts, and changes of what signing in depends on; kept for half a year.';
comment on column auth.sign_in_events.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column auth.sign_in_events.user_id is 'Whose account; NULL where there is none.';
comment on column auth.sign_in_events.session_id is 'Which session began or ended; without a foreign key, for sessions are swept sooner.';
comment on column auth.sign_in_events.outcome is 'What happened: signed_in, wrong_password, unknown_account, not_verified, blocked, signed_out, session_ended, refresh_reused, password_changed, password_reset, email_verified or registered.';
comment on column auth.sign_in_events.address is 'From where; NULL where it is not known.';
comment on column auth.sign_in_events.user_agent is 'What the client calls itself; NULL where it says nothing.';
comment on column auth.sign_in_events.created_at is 'When it happened (UTC).';

create index sign_in_events_user_id_idx on auth.sign_in_events (user_id, created_at desc, id desc);
create index sign_in_events_known_idx on auth.sign_in_events (user_id, address) where outcome in ('signed_in', 'password_reset');
create index sign_in_events_created_at_idx on auth.sign_in_events (created_at);

comment on index auth.sign_in_events_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index auth.sign_in_events_user_id_idx is 'Lists what happened to an account, newest first; filters the policies; cascades from auth.users.';
comment on index auth.sign_in_events_known_idx is 'Whether somebody has signed in, or set a password by mail, from this address before.';
comment on index auth.sign_in_events_created_at_idx is 'Sweeps what is older than half a year.';

alter table auth.sign_in_events enable row level security;
alter table auth.sign_in_events force row level security;

create policy owner_all on auth.sign_in_events to auth_owner using (true) with check (true);
create policy service_all on auth.sign_in_events to auth_service using (true) with check (true);

grant select on auth.sign_in_events to app_user;

create policy self_select on auth.sign_in_events for select to app_user
    using (user_id = (select auth.uid()));

create policy admin_select on auth.sign_in_events for select to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));
