-- Files sent in a conversation. A message that is removed leaves its files with the conversation: hence SET
-- NULL, where the default would refuse to remove it.
-- A link is added or removed, never changed, so nobody is granted UPDATE.

create table chat.chat_files (
    id uuid not null default gen_random_uuid(),
    session_id uuid not null,
    file_id uuid not null,
    message_id uuid,
    created_at timestamptz not null default now(),
    constraint chat_files_pkey primary key (id),
    constraint chat_files_session_id_fkey foreign key (session_id) references chat.chat_sessions (id) on delete cascade,
    constraint chat_files_file_id_fkey foreign key (file_id) references files.files (id) on delete cascade,
    constraint chat_files_message_id_fkey foreign key (message_id) references chat.chat_messages (id) on delete set null
);

comment on table chat.chat_files is 'Files sent in conversations.';
comment on column chat.chat_files.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column chat.chat_files.session_id is 'The conversation.';
comment on column chat.chat_files.file_id is 'The file.';
comment on column chat.chat_files.message_id is 'Message it came with; NULL for the conversation as a whole.';
comment on column chat.chat_files.created_at is 'When the row was written (UTC).';

create index chat_files_session_id_idx on chat.chat_files (session_id);
create index chat_files_file_id_idx on chat.chat_files (file_id);
create index chat_files_message_id_idx on chat.chat_files (message_id);

comment on index chat.chat_files_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index chat.chat_files_session_id_idx is 'Lists the files of a conversation; filters every policy; cascades from chat_sessions.';
comment on index chat.chat_files_file_id_idx is 'Finds the conversations that use a file; cascades from files.';
comment on index chat.chat_files_message_id_idx is 'Lists the files of a message; released when it is removed.';

alter table chat.chat_files enable row level security;
alter table chat.chat_files force row level security;

create policy owner_all on chat.chat_files to chat_owner using (true) with check (true);
create policy service_all on chat.chat_files to chat_service using (true) with check (true);

-- Only a file the writer can see can be attached, and only to a message of the same conversation.
grant select, insert, delete on chat.chat_files to app_user;

create policy self_select on chat.chat_files for select to app_user
    using (session_id = any ((select chat.my_sessions())::uuid[]));

create policy self_insert on chat.chat_files for insert to app_user
    with check (
        session_id = any ((select chat.my_sessions())::uuid[])
        and exists (select from files.files f where f.id = file_id)
        and (
            message_id is null
            or exists (
                select from chat.chat_messages m
                where m.id = message_id
                  and m.session_id = chat_files.session_id
            )
        )
    );

create policy self_delete on chat.chat_files for delete to app_user
    using (session_id = any ((select chat.my_sessions())::uuid[]));

create policy admin_select on chat.chat_files for select to app_user
    using (session_id = any ((select chat.my_managed_sessions() where auth.role() = 'admin')::uuid[]));

create policy admin_delete on chat.chat_files for delete to app_user
    using (session_id = any ((select chat.my_managed_sessions() where auth.role() = 'admin')::uuid[]));
