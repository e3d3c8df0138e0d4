-- What is known of a file beyond its row, as key and value: pages, duration, results of processing.
-- It is visible where its file is. The subqueries run under the policies of files, so whatever opens a file
-- opens its metadata; they are evaluated row by row, which is right for a table that is only ever read by
-- file_id.

create table files.file_metadata (
    id uuid not null default gen_random_uuid(),
    file_id uuid not null,
    metadata_key varchar(100) not null,
    metadata_value text,
    created_at timestamptz not null default now(),
    constraint file_metadata_pkey primary key (id),
    constraint file_metadata_file_id_metadata_key_key unique (file_id, metadata_key),
    constraint file_metadata_file_id_fkey foreign key (file_id) references files.files (id) on delete cascade
);

comment on table files.file_metadata is 'Facts about files as key and value.';
comment on column files.file_metadata.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column files.file_metadata.file_id is 'The file.';
comment on column files.file_metadata.metadata_key is 'Name of the fact, unique within the file.';
comment on column files.file_metadata.metadata_value is 'The fact.';
comment on column files.file_metadata.created_at is 'When the row was written (UTC).';

comment on index files.file_metadata_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index files.file_metadata_file_id_metadata_key_key is 'Lists the metadata of a file and reads one by its key; cascades from files.';

alter table files.file_metadata enable row level security;
alter table files.file_metadata force row level security;

create policy owner_all on files.file_metadata to files_owner using (true) with check (true);
create policy service_all on files.file_metadata to files_service using (true) with check (true);

grant select, insert, delete on files.file_metadata to app_user;
grant update (metadata_key, metadata_value) on files.file_metadata to app_user;

create policy member_select on files.file_metadata for select to app_user
    using (exists (select from files.files f where f.id = file_id));

create policy self_insert on files.file_metadata for insert to app_user
    with check (
        exists (
            select from files.files f
            where f.id = file_id
              and f.uploaded_by = (select auth.uid())
        )
    );

create policy self_update on files.file_metadata for update to app_user
    using (
        exists (
            select from files.files f
            where f.id = file_id
              and f.uploaded_by = (select auth.uid())
        )
    )
    with check (
        exists (
            select from files.files f
            where f.id = file_id
              and f.uploaded_by = (select auth.uid())
        )
    );

create policy self_delete on files.file_metadata for delete to app_user
    using (
        exists (
            select from files.files f
            where f.id = file_id
              and f.uploaded_by = (select auth.uid())
        )
    );

create policy admin_insert on files.file_metadata for insert to app_user
    with check (
        exists (
            select from files.files f
            where f.id = file_id
              and f.organization_id = (select auth.org() where auth.role() = 'admin')
        )
    );

create policy admin_update on files.file_metadata for update to app_user
    using (
        exists (
            select from files.files f
            where f.id = file_id
              and f.organization_id = (select auth.org() where auth.role() = 'admin')
        )
    )
    with check (
        exists (
            select from files.files f
            where f.id = file_id
              and f.organization_id = (select auth.org() where auth.role() = 'admin')
        )
    );

create policy admin_delete on files.file_metadata for delete to app_user
    using (
        exists (
            select from files.files f
            where f.id = file_id
              and f.organization_id = (select auth.org() where auth.role() = 'admin')
        )
    );
