-- What the platform knows of stored files; the bytes are in object storage under file_path. A file belongs to
-- who uploaded it and to that person's school.
-- A public file is public within its school, not beyond: only a file of the platform itself (no organization)
-- is public to all. Publishing is for staff.
-- What a file is – path, size, type, hash – is written once by the file service: a user who could change
-- file_path could read any other file through it.

grant usage on schema files to app_user;

create table files.files (
    id uuid not null default gen_random_uuid(),
    filename varchar(255) not null,
    original_filename varchar(255) not null,
    file_path varchar(500) not null,
    file_size bigint not null,
    mime_type varchar(100) not null,
    file_hash varchar(64),
    uploaded_by uuid not null,
    organization_id uuid,
    is_public boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint files_pkey primary key (id),
    constraint files_uploaded_by_fkey foreign key (uploaded_by) references auth.users (id),
    constraint files_organization_id_fkey foreign key (organization_id) references organizations.organizations (id),
    constraint files_file_size_check check (file_size >= 0)
);

comment on table files.files is 'Stored files: what they are, whose they are and who may see them.';
comment on column files.files.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column files.files.filename is 'Name under which the file is shown and downloaded.';
comment on column files.files.original_filename is 'Name the file had where it was uploaded from.';
comment on column files.files.file_path is 'Key of the object in storage, made by the file service.';
comment on column files.files.file_size is 'Size in bytes.';
comment on column files.files.mime_type is 'Media type as detected from the content.';
comment on column files.files.file_hash is 'SHA-256 of the content in hexadecimal.';
comment on column files.files.uploaded_by is 'Who uploaded it, its owner.';
comment on column files.files.organization_id is 'School it belongs to; NULL for a personal file, or one of the platform.';
comment on column files.files.is_public is 'Whether everybody in its school may read it; without a school, everybody.';
comment on column files.files.created_at is 'When the row was written (UTC).';
comment on column files.files.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index files_uploaded_by_idx on files.files (uploaded_by, created_at desc);
create index files_organization_id_idx on files.files (organization_id, created_at desc);
create index files_public_idx on files.files (organization_id) where is_public;

comment on index files.files_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index files.files_uploaded_by_idx is 'Lists the files of a user, newest first; filters the self policies.';
comment on index files.files_organization_id_idx is 'Lists the files of a school, newest first; filters the admin policies.';
comment on index files.files_public_idx is 'Lists the public files of a school; keeps member_select from reading all its files.';

create trigger files_set_updated_at
    before update on files.files
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table files.files enable row level security;
alter table files.files force row level security;

create policy owner_all on files.files to files_owner using (true) with check (true);
create policy service_all on files.files to files_service using (true) with check (true);

grant select, insert, delete on files.files to app_user;
grant update (filename, is_public) on files.files to app_user;

-- Own files, but not those left behind in a school one has gone from: an exam belongs to the school where it
-- was written.
create policy self_select on files.files for select to app_user
    using (
        uploaded_by = (select auth.uid())
        and (organization_id = (select auth.org()) or organization_id is null)
    );

create policy self_insert on files.files for insert to app_user
    with check (
        uploaded_by = (select auth.uid())
        and (organization_id = (select auth.org()) or organization_id is null)
        and (not is_public or (organization_id is not null and (select auth.role()) in ('admin', 'teacher')))
    );

create policy self_update on files.files for update to app_user
    using (
        uploaded_by = (select auth.uid())
        and (organization_id = (select auth.org()) or organization_id is null)
    )
    with check (
        uploaded_by = (select auth.uid())
        and (organization_id = (select auth.org()) or organization_id is null)
        and (not is_public or (organization_id is not null and (select auth.role()) in ('admin', 'teacher')))
    );

create policy self_delete on files.files for delete to app_user
    using (
        uploaded_by = (select auth.uid())
        and (organization_id = (select auth.org()) or organization_id is null)
    );

create policy admin_select on files.files for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_update on files.files for update to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'))
    with check (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_delete on files.files for delete to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy member_select on files.files for select to app_user
    using (
        is_public and organization_id = (select auth.org() where auth.role() in ('admin', 'teacher', 'student', 'parent'))
        or is_public and organization_id is null and (select auth.uid()) is not null
    );
