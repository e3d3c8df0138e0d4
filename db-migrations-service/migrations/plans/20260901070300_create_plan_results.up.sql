-- What became of a plan, one row per student and attempt. The row is also what addresses a plan to a student:
-- no row, no sight of the plan. A draft is kept from students by not addressing it yet.

create table plans.plan_results (
    id uuid not null default gen_random_uuid(),
    plan_id uuid not null,
    student_id uuid,
    score numeric(5,2),
    completion_percentage integer not null default 0,
    time_spent integer,
    feedback text,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint plan_results_pkey primary key (id),
    constraint plan_results_plan_id_fkey foreign key (plan_id) references plans.plans (id) on delete cascade,
    constraint plan_results_student_id_fkey foreign key (student_id) references auth.users (id),
    constraint plan_results_score_check check (score between 0 and 100),
    constraint plan_results_completion_percentage_check check (completion_percentage between 0 and 100),
    constraint plan_results_time_spent_check check (time_spent >= 0)
);

comment on table plans.plan_results is 'Results of plans: a row addresses the plan to a student and keeps how it went.';
comment on column plans.plan_results.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column plans.plan_results.plan_id is 'The plan.';
comment on column plans.plan_results.student_id is 'Student it is addressed to; NULL for the plan as a whole.';
comment on column plans.plan_results.score is 'Score, 0 to 100; given by the teacher.';
comment on column plans.plan_results.completion_percentage is 'How much of the plan is done, in percent.';
comment on column plans.plan_results.time_spent is 'Time the student spent on it, in minutes.';
comment on column plans.plan_results.feedback is 'What the teacher tells the student.';
comment on column plans.plan_results.completed_at is 'When the student finished.';
comment on column plans.plan_results.created_at is 'When the row was written (UTC).';
comment on column plans.plan_results.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index plan_results_plan_id_idx on plans.plan_results (plan_id, created_at desc);
create index plan_results_student_id_idx on plans.plan_results (student_id, created_at desc);

comment on index plans.plan_results_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index plans.plan_results_plan_id_idx is 'Lists the results of a plan, newest first; filters the teacher and admin policies; cascades from plans.';
comment on index plans.plan_results_student_id_idx is 'Lists the results of a student, newest first, also for my_assigned_plans(); filters the student and parent policies.';

create trigger plan_results_set_updated_at
    before update on plans.plan_results
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table plans.plan_results enable row level security;
alter table plans.plan_results force row level security;

create policy owner_all on plans.plan_results to plans_owner using (true) with check (true);
create policy service_all on plans.plan_results to plans_service using (true) with check (true);

create function plans.my_assigned_plans()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select r.plan_id
        from plans.plan_results r
        join plans.plans p on p.id = r.plan_id
        where r.student_id = auth.uid()
          and p.organization_id = auth.org()
          and auth.role() = 'student'
    );
end
$$;

comment on function plans.my_assigned_plans() is 'Plans addressed to the caller in the organization of the claims; empty for all but students.';
grant execute on function plans.my_assigned_plans() to app_user;

grant select, insert, delete on plans.plan_results to app_user;
grant update (score, completion_percentage, time_spent, feedback, completed_at) on plans.plan_results to app_user;

create policy teacher_select on plans.plan_results for select to app_user
    using (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));

create policy teacher_insert on plans.plan_results for insert to app_user
    with check (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));

create policy teacher_update on plans.plan_results for update to app_user
    using (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]))
    with check (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));

create policy teacher_delete on plans.plan_results for delete to app_user
    using (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));

create policy admin_select on plans.plan_results for select to app_user
    using (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]));

create policy admin_insert on plans.plan_results for insert to app_user
    with check (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]));

create policy admin_update on plans.plan_results for update to app_user
    using (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]))
    with check (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]));

create policy admin_delete on plans.plan_results for delete to app_user
    using (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]));

create policy student_select on plans.plan_results for select to app_user
    using (
        student_id = (select auth.uid() where auth.role() = 'student')
        and plan_id = any ((select plans.my_assigned_plans() where auth.role() = 'student')::uuid[])
    );

create policy student_select on plans.plans for select to app_user
    using (id = any ((select plans.my_assigned_plans() where auth.role() = 'student')::uuid[]));
