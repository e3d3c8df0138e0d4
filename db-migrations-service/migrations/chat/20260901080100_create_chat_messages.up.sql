-- Messages of conversations. What was said is not rewritten: nobody is granted UPDATE. A user may add
-- messages as user only; what the assistant or the system says is written by the chat service in its own
-- role, so whatever stands as the tutor's answer is the tutor's.
-- requires: users/20260901030100

create table chat.chat_messages (
    id uuid not null default gen_random_uuid(),
    session_id uuid not null,
    role varchar(20) not null,
    content text not null,
    message_data jsonb not null default '{}',
    created_at timestamptz not null default now(),
    constraint chat_messages_pkey primary key (id),
    constraint chat_messages_session_id_fkey foreign key (session_id) references chat.chat_sessions (id) on delete cascade,
    constraint chat_messages_role_check check (role in ('user', 'assistant', 'system'))
);

comment on table chat.chat_messages is 'Messages of conversations, in the order of created_at.';
comment on column chat.chat_messages.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column chat.chat_messages.session_id is 'The conversation.';
comment on column chat.chat_messages.role is 'Who speaks: user, assistant or system. Not a role of public.roles.';
comment on column chat.chat_messages.content is 'What is said.';
comment on column chat.chat_messages.message_data is 'What else the agent sent: parts, tool calls, usage.';
comment on column chat.chat_messages.created_at is 'When the row was written (UTC).';

create index chat_messages_session_id_idx on chat.chat_messages (session_id, created_at);

comment on index chat.chat_messages_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index chat.chat_messages_session_id_idx is 'Reads the history of a conversation in order; filters every policy; cascades from chat_sessions.';

alter table chat.chat_messages enable row level security;
alter table chat.chat_messages force row level security;

create policy owner_all on chat.chat_messages to chat_owner using (true) with check (true);
create policy service_all on chat.chat_messages to chat_service using (true) with check (true);

create function chat.my_sessions()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select s.id
        from chat.chat_sessions s
        where s.user_id = auth.uid()
    );
end
$$;

comment on function chat.my_sessions() is 'Conversations of the caller.';
grant execute on function chat.my_sessions() to app_user;

create function chat.my_managed_sessions()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select s.id
        from chat.chat_sessions s
        where s.user_id = any ((select users.my_managed_users())::uuid[])
    );
end
$$;

comment on function chat.my_managed_sessions() is 'Conversations of the people the caller administers and who belong to no other organization; empty for all but admins.';
grant execute on function chat.my_managed_sessions() to app_user;

grant select, insert, delete on chat.chat_messages to app_user;

create policy self_select on chat.chat_messages for select to app_user
    using (session_id = any ((select chat.my_sessions())::uuid[]));

create policy self_insert on chat.chat_messages for insert to app_user
    with check (session_id = any ((select chat.my_sessions())::uuid[]) and role = 'user');

create policy self_delete on chat.chat_messages for delete to app_user
    using (session_id = any ((select chat.my_sessions())::uuid[]));

create policy admin_select on chat.chat_messages for select to app_user
    using (session_id = any ((select chat.my_managed_sessions() where auth.role() = 'admin')::uuid[]));

create policy admin_delete on chat.chat_messages for delete to app_user
    using (session_id = any ((select chat.my_managed_sessions() where auth.role() = 'admin')::uuid[]));
