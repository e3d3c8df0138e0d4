-- Runs of the plan generator. A job may exist before its plan does; it then belongs to no school yet but to
-- its teacher, so an admin sees it only if that teacher works for no other school.

create table plans.plan_jobs (
    id uuid not null default gen_random_uuid(),
    plan_id uuid,
    teacher_id uuid not null,
    status varchar(20) not null default 'pending',
    progress integer not null default 0,
    result_data jsonb,
    error_message text,
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint plan_jobs_pkey primary key (id),
    constraint plan_jobs_plan_id_fkey foreign key (plan_id) references plans.plans (id) on delete cascade,
    constraint plan_jobs_teacher_id_fkey foreign key (teacher_id) references auth.users (id) on delete cascade,
    constraint plan_jobs_status_check check (status in ('pending', 'processing', 'completed', 'failed', 'cancelled')),
    constraint plan_jobs_progress_check check (progress between 0 and 100),
    constraint plan_jobs_completed_at_check check (completed_at >= started_at)
);

comment on table plans.plan_jobs is 'Runs of the plan generator, one row per request.';
comment on column plans.plan_jobs.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column plans.plan_jobs.plan_id is 'Plan being generated; NULL until there is one.';
comment on column plans.plan_jobs.teacher_id is 'Teacher who asked for it.';
comment on column plans.plan_jobs.status is 'State: pending, processing, completed, failed or cancelled.';
comment on column plans.plan_jobs.progress is 'Progress in percent.';
comment on column plans.plan_jobs.result_data is 'What the generator answered: summary, recommendations, exercises.';
comment on column plans.plan_jobs.error_message is 'Why the job failed.';
comment on column plans.plan_jobs.started_at is 'When work on it began.';
comment on column plans.plan_jobs.completed_at is 'When it ended, well or not.';
comment on column plans.plan_jobs.created_at is 'When the row was written (UTC).';
comment on column plans.plan_jobs.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index plan_jobs_teacher_id_idx on plans.plan_jobs (teacher_id, created_at desc);
create index plan_jobs_plan_id_idx on plans.plan_jobs (plan_id);
create index plan_jobs_queue_idx on plans.plan_jobs (created_at) where status in ('pending', 'processing');

comment on index plans.plan_jobs_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index plans.plan_jobs_teacher_id_idx is 'Lists the jobs of a teacher, newest first; filters every policy; cascades from auth.users.';
comment on index plans.plan_jobs_plan_id_idx is 'Lists the jobs of a plan; cascades from plans.';
comment on index plans.plan_jobs_queue_idx is 'Takes the next job to work on and finds those that hang.';

create trigger plan_jobs_set_updated_at
    before update on plans.plan_jobs
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table plans.plan_jobs enable row level security;
alter table plans.plan_jobs force row level security;

create policy owner_all on plans.plan_jobs to plans_owner using (true) with check (true);
create policy service_all on plans.plan_jobs to plans_service using (true) with check (true);

grant select, insert, delete on plans.plan_jobs to app_user;
grant update (plan_id, status, progress, result_data, error_message, started_at, completed_at) on plans.plan_jobs to app_user;

create policy teacher_select on plans.plan_jobs for select to app_user
    using (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and (plan_id is null or plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]))
    );

create policy teacher_insert on plans.plan_jobs for insert to app_user
    with check (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and (plan_id is null or plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]))
    );

create policy teacher_update on plans.plan_jobs for update to app_user
    using (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and (plan_id is null or plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]))
    )
    with check (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and (plan_id is null or plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]))
    );

create policy teacher_delete on plans.plan_jobs for delete to app_user
    using (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and (plan_id is null or plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]))
    );

create policy admin_select on plans.plan_jobs for select to app_user
    using (
        teacher_id = any ((select users.my_organization_users() where auth.role() = 'admin')::uuid[])
        and (
            plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[])
            or plan_id is null
                and teacher_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[])
        )
    );

create policy admin_insert on plans.plan_jobs for insert to app_user
    with check (
        teacher_id = any ((select users.my_organization_users() where auth.role() = 'admin')::uuid[])
        and (
            plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[])
            or plan_id is null
                and teacher_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[])
        )
    );

create policy admin_update on plans.plan_jobs for update to app_user
    using (
        teacher_id = any ((select users.my_organization_users() where auth.role() = 'admin')::uuid[])
        and (
            plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[])
            or plan_id is null
                and teacher_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[])
        )
    )
    with check (
        teacher_id = any ((select users.my_organization_users() where auth.role() = 'admin')::uuid[])
        and (
            plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[])
            or plan_id is null
                and teacher_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[])
        )
    );

create policy admin_delete on plans.plan_jobs for delete to app_user
    using (
        teacher_id = any ((select users.my_organization_users() where auth.role() = 'admin')::uuid[])
        and (
            plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[])
            or plan_id is null
                and teacher_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[])
        )
    );
