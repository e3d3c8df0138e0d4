-- Conversations with the tutor. They are the person's own. An admin may read and remove those of people who
-- belong to no other school, because a school answers for what minors are told; it cannot write in anybody's
-- name.

grant usage on schema chat to app_user;

create table chat.chat_sessions (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    session_id varchar(255) not null,
    app_name varchar(100) not null default 'speaker',
    status varchar(20) not null default 'active',
    context_data jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint chat_sessions_pkey primary key (id),
    constraint chat_sessions_session_id_key unique (session_id),
    constraint chat_sessions_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
    constraint chat_sessions_status_check check (status in ('active', 'closed', 'archived'))
);

comment on table chat.chat_sessions is 'Conversations of people with the tutor.';
comment on column chat.chat_sessions.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column chat.chat_sessions.user_id is 'Whose conversation it is.';
comment on column chat.chat_sessions.session_id is 'Id of the session at the agent (ADK), made by the chat service.';
comment on column chat.chat_sessions.app_name is 'Agent application that answers.';
comment on column chat.chat_sessions.status is 'State: active, closed or archived.';
comment on column chat.chat_sessions.context_data is 'State the agent keeps between messages.';
comment on column chat.chat_sessions.created_at is 'When the row was written (UTC).';
comment on column chat.chat_sessions.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index chat_sessions_user_id_idx on chat.chat_sessions (user_id, created_at desc);

comment on index chat.chat_sessions_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index chat.chat_sessions_session_id_key is 'Finds a conversation by the id the agent knows it by.';
comment on index chat.chat_sessions_user_id_idx is 'Lists the conversations of a user, newest first; filters every policy; cascades from auth.users.';

create trigger chat_sessions_set_updated_at
    before update on chat.chat_sessions
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table chat.chat_sessions enable row level security;
alter table chat.chat_sessions force row level security;

create policy owner_all on chat.chat_sessions to chat_owner using (true) with check (true);
create policy service_all on chat.chat_sessions to chat_service using (true) with check (true);

grant select, insert, delete on chat.chat_sessions to app_user;
grant update (status, context_data) on chat.chat_sessions to app_user;

create policy self_select on chat.chat_sessions for select to app_user
    using (user_id = (select auth.uid()));

create policy self_insert on chat.chat_sessions for insert to app_user
    with check (user_id = (select auth.uid()));

create policy self_update on chat.chat_sessions for update to app_user
    using (user_id = (select auth.uid()))
    with check (user_id = (select auth.uid()));

create policy self_delete on chat.chat_sessions for delete to app_user
    using (user_id = (select auth.uid()));

create policy admin_select on chat.chat_sessions for select to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));

create policy admin_delete on chat.chat_sessions for delete to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));
