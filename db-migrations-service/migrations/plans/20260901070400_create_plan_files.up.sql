-- Files of a plan. The link opens no file by itself: who may read the bytes is said in
-- files.file_permissions. Students are shown outputs only, for an input may be the exams of a whole course.
-- A link is added or removed, never changed, so nobody is granted UPDATE.

create table plans.plan_files (
    id uuid not null default gen_random_uuid(),
    plan_id uuid not null,
    file_id uuid not null,
    file_type varchar(20),
    created_at timestamptz not null default now(),
    constraint plan_files_pkey primary key (id),
    constraint plan_files_plan_id_fkey foreign key (plan_id) references plans.plans (id) on delete cascade,
    constraint plan_files_file_id_fkey foreign key (file_id) references files.files (id) on delete cascade,
    constraint plan_files_file_type_check check (file_type in ('input', 'output', 'template'))
);

comment on table plans.plan_files is 'Files that went into a plan or came out of it.';
comment on column plans.plan_files.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column plans.plan_files.plan_id is 'The plan.';
comment on column plans.plan_files.file_id is 'The file.';
comment on column plans.plan_files.file_type is 'What the file is to the plan: input, output or template.';
comment on column plans.plan_files.created_at is 'When the row was written (UTC).';

create index plan_files_plan_id_idx on plans.plan_files (plan_id);
create index plan_files_file_id_idx on plans.plan_files (file_id);

comment on index plans.plan_files_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index plans.plan_files_plan_id_idx is 'Lists the files of a plan; filters every policy; cascades from plans.';
comment on index plans.plan_files_file_id_idx is 'Finds the plans that use a file; cascades from files.';

alter table plans.plan_files enable row level security;
alter table plans.plan_files force row level security;

create policy owner_all on plans.plan_files to plans_owner using (true) with check (true);
create policy service_all on plans.plan_files to plans_service using (true) with check (true);

-- The subqueries run under the policies of files: only a file its writer can see can be attached.
grant select, insert, delete on plans.plan_files to app_user;

create policy teacher_select on plans.plan_files for select to app_user
    using (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));

create policy teacher_insert on plans.plan_files for insert to app_user
    with check (
        plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[])
        and exists (select from files.files f where f.id = file_id)
    );

create policy teacher_delete on plans.plan_files for delete to app_user
    using (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));

create policy admin_select on plans.plan_files for select to app_user
    using (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]));

create policy admin_insert on plans.plan_files for insert to app_user
    with check (
        plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[])
        and exists (select from files.files f where f.id = file_id)
    );

create policy admin_delete on plans.plan_files for delete to app_user
    using (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]));

create policy student_select on plans.plan_files for select to app_user
    using (
        plan_id = any ((select plans.my_assigned_plans() where auth.role() = 'student')::uuid[])
        and file_type = 'output'
    );
