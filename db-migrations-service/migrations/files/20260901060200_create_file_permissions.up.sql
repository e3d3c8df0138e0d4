-- Permissions on a file, given to one person or to everybody who has a role in the file's school.
-- They are given by its owner or an admin of its school, never by somebody who was only given one. They never
-- reach outside the school of the file: a permission counts only while its holder is signed in to that
-- school, and on a personal file none does.

create table files.file_permissions (
    id uuid not null default gen_random_uuid(),
    file_id uuid not null,
    user_id uuid,
    role varchar(20),
    permission_type varchar(20) not null,
    created_at timestamptz not null default now(),
    constraint file_permissions_pkey primary key (id),
    constraint file_permissions_file_id_user_id_permission_type_key unique (file_id, user_id, permission_type),
    constraint file_permissions_file_id_fkey foreign key (file_id) references files.files (id) on delete cascade,
    constraint file_permissions_user_id_fkey foreign key (user_id) references auth.users (id),
    constraint file_permissions_role_fkey foreign key (role) references public.roles (name),
    constraint file_permissions_permission_type_check check (permission_type in ('read', 'write', 'delete')),
    constraint file_permissions_grantee_check check (num_nonnulls(user_id, role) = 1)
);

comment on table files.file_permissions is 'Permissions on files, each for one person or for one role.';
comment on column files.file_permissions.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column files.file_permissions.file_id is 'The file.';
comment on column files.file_permissions.user_id is 'Person who is permitted; NULL when a role is.';
comment on column files.file_permissions.role is 'Role that is permitted, within the school of the file; NULL when a person is.';
comment on column files.file_permissions.permission_type is 'What is permitted: read, write or delete. Each of the latter two includes read.';
comment on column files.file_permissions.created_at is 'When the row was written (UTC).';

create unique index file_permissions_file_id_role_permission_type_key on files.file_permissions (file_id, role, permission_type)
    where user_id is null;
create index file_permissions_user_id_idx on files.file_permissions (user_id);
create index file_permissions_role_idx on files.file_permissions (role);

comment on index files.file_permissions_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index files.file_permissions_file_id_user_id_permission_type_key is 'Lists the permissions of a file; keeps one from being given twice to a person; cascades from files.';
comment on index files.file_permissions_file_id_role_permission_type_key is 'Keeps a permission from being given twice to a role, which the constraint cannot: its user_id is null.';
comment on index files.file_permissions_user_id_idx is 'Finds what was shared with a user, for my_shared_files(); filters grantee_select.';
comment on index files.file_permissions_role_idx is 'Finds what was shared with a role, for my_shared_files().';

alter table files.file_permissions enable row level security;
alter table files.file_permissions force row level security;

create policy owner_all on files.file_permissions to files_owner using (true) with check (true);
create policy service_all on files.file_permissions to files_service using (true) with check (true);

create function files.my_shared_files(permission text)
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select p.file_id
        from files.file_permissions p
        join files.files f on f.id = p.file_id
        where p.user_id = auth.uid()
          and f.organization_id = auth.org()
          and (permission = 'read' or p.permission_type = permission)
        union
        select p.file_id
        from files.file_permissions p
        join files.files f on f.id = p.file_id
        where p.role = auth.role()
          and f.organization_id = auth.org()
          and (permission = 'read' or p.permission_type = permission)
    );
end
$$;

comment on function files.my_shared_files(text) is 'Files of the organization of the claims on which the caller, or their role in it, was given the permission (read, write or delete; read is part of the others).';
grant execute on function files.my_shared_files(text) to app_user;

-- A student may share a file with a person, but only staff with a whole role: that would be publishing.
grant select, insert, delete on files.file_permissions to app_user;

create policy grantee_select on files.file_permissions for select to app_user
    using (user_id = (select auth.uid()) and file_id = any ((select files.my_shared_files('read'))::uuid[]));

create policy self_select on files.file_permissions for select to app_user
    using (
        exists (
            select from files.files f
            where f.id = file_id
              and f.uploaded_by = (select auth.uid())
        )
    );

create policy self_insert on files.file_permissions for insert to app_user
    with check (
        exists (
            select from files.files f
            where f.id = file_id
              and f.uploaded_by = (select auth.uid())
        )
        and (role is null or (select auth.role()) in ('admin', 'teacher'))
    );

create policy self_delete on files.file_permissions for delete to app_user
    using (
        exists (
            select from files.files f
            where f.id = file_id
              and f.uploaded_by = (select auth.uid())
        )
    );

create policy admin_select on files.file_permissions for select to app_user
    using (
        exists (
            select from files.files f
            where f.id = file_id
              and f.organization_id = (select auth.org() where auth.role() = 'admin')
        )
    );

create policy admin_insert on files.file_permissions for insert to app_user
    with check (
        exists (
            select from files.files f
            where f.id = file_id
              and f.organization_id = (select auth.org() where auth.role() = 'admin')
        )
    );

create policy admin_delete on files.file_permissions for delete to app_user
    using (
        exists (
            select from files.files f
            where f.id = file_id
              and f.organization_id = (select auth.org() where auth.role() = 'admin')
        )
    );

-- What a permission opens in the other two tables. Who may write a file may rename it, but not publish it:
-- that stays with its owner and the school.
create policy shared_select on files.files for select to app_user
    using (id = any ((select files.my_shared_files('read'))::uuid[]));

create policy shared_update on files.files for update to app_user
    using (id = any ((select files.my_shared_files('write'))::uuid[]))
    with check (
        id = any ((select files.my_shared_files('write'))::uuid[])
        and not is_public
    );

create policy shared_delete on files.files for delete to app_user
    using (id = any ((select files.my_shared_files('delete'))::uuid[]));

create policy shared_insert on files.file_metadata for insert to app_user
    with check (file_id = any ((select files.my_shared_files('write'))::uuid[]));

create policy shared_update on files.file_metadata for update to app_user
    using (file_id = any ((select files.my_shared_files('write'))::uuid[]))
    with check (file_id = any ((select files.my_shared_files('write'))::uuid[]));

create policy shared_delete on files.file_metadata for delete to app_user
    using (file_id = any ((select files.my_shared_files('write'))::uuid[]));
