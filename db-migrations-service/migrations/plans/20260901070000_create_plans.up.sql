-- Reinforcement plans. A teacher has all power over their own plans in the school they signed in to, an admin
-- over all plans of the school. Neither owner nor school of a plan can be changed: those columns are in no
-- grant.
-- A plan may only point at what its writer can see: the subqueries in the checks run under the policies of
-- subjects and courses, so no plan reaches into another school.

grant usage on schema plans to app_user;

create table plans.plans (
    id uuid not null default gen_random_uuid(),
    title varchar(255) not null,
    description text,
    teacher_id uuid not null,
    subject_id uuid not null,
    course_id uuid,
    organization_id uuid not null,
    status varchar(20) not null default 'draft',
    difficulty_level varchar(20) not null default 'medium',
    estimated_duration integer,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint plans_pkey primary key (id),
    constraint plans_teacher_id_fkey foreign key (teacher_id) references auth.users (id) on delete cascade,
    constraint plans_subject_id_fkey foreign key (subject_id) references academic.subjects (id),
    constraint plans_course_id_fkey foreign key (course_id) references academic.courses (id),
    constraint plans_organization_id_fkey foreign key (organization_id) references organizations.organizations (id),
    constraint plans_status_check check (status in ('draft', 'active', 'completed', 'archived')),
    constraint plans_difficulty_level_check check (difficulty_level in ('easy', 'medium', 'hard')),
    constraint plans_estimated_duration_check check (estimated_duration >= 0)
);

comment on table plans.plans is 'Reinforcement plans that teachers make for their students.';
comment on column plans.plans.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column plans.plans.title is 'Title of the plan.';
comment on column plans.plans.description is 'What the plan is meant to reinforce.';
comment on column plans.plans.teacher_id is 'Teacher who owns the plan.';
comment on column plans.plans.subject_id is 'Subject it reinforces.';
comment on column plans.plans.course_id is 'Course it was made for; NULL for single students.';
comment on column plans.plans.organization_id is 'School it belongs to.';
comment on column plans.plans.status is 'State: draft, active, completed or archived.';
comment on column plans.plans.difficulty_level is 'Difficulty: easy, medium or hard.';
comment on column plans.plans.estimated_duration is 'Expected duration in days.';
comment on column plans.plans.created_at is 'When the row was written (UTC).';
comment on column plans.plans.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index plans_teacher_id_idx on plans.plans (teacher_id, created_at desc);
create index plans_organization_id_idx on plans.plans (organization_id, created_at desc);
create index plans_subject_id_idx on plans.plans (subject_id);
create index plans_course_id_idx on plans.plans (course_id);

comment on index plans.plans_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index plans.plans_teacher_id_idx is 'Lists the plans of a teacher, newest first; filters the teacher policies; cascades from auth.users.';
comment on index plans.plans_organization_id_idx is 'Lists the plans of a school, newest first; filters the admin policies.';
comment on index plans.plans_subject_id_idx is 'Analyses plans by subject; checks that a subject is unused before it goes.';
comment on index plans.plans_course_id_idx is 'Lists the plans of a course, also for my_course_plans(); checks that a course is unused before it goes.';

create trigger plans_set_updated_at
    before update on plans.plans
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table plans.plans enable row level security;
alter table plans.plans force row level security;

create policy owner_all on plans.plans to plans_owner using (true) with check (true);
create policy service_all on plans.plans to plans_service using (true) with check (true);

grant select, insert, delete on plans.plans to app_user;
grant update (title, description, subject_id, course_id, status, difficulty_level, estimated_duration) on plans.plans to app_user;

create policy teacher_select on plans.plans for select to app_user
    using (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and organization_id = (select auth.org())
    );

create policy teacher_insert on plans.plans for insert to app_user
    with check (
        teacher_id = (select auth.uid() where auth.role() = 'teacher') and organization_id = (select auth.org())
        and exists (select from academic.subjects s where s.id = subject_id)
        and (course_id is null or exists (select from academic.courses c where c.id = course_id))
    );

create policy teacher_update on plans.plans for update to app_user
    using (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and organization_id = (select auth.org())
    )
    with check (
        teacher_id = (select auth.uid() where auth.role() = 'teacher') and organization_id = (select auth.org())
        and exists (select from academic.subjects s where s.id = subject_id)
        and (course_id is null or exists (select from academic.courses c where c.id = course_id))
    );

create policy teacher_delete on plans.plans for delete to app_user
    using (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and organization_id = (select auth.org())
    );

create policy admin_select on plans.plans for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

-- An admin may file a plan in a teacher's name, provided that person teaches here.
create policy admin_insert on plans.plans for insert to app_user
    with check (
        organization_id = (select auth.org() where auth.role() = 'admin')
        and exists (select from academic.subjects s where s.id = subject_id)
        and (course_id is null or exists (select from academic.courses c where c.id = course_id))
        and exists (
            select from users.user_roles r
            where r.user_id = teacher_id
              and r.organization_id = (select auth.org())
              and r.role = 'teacher'
              and r.is_active
        )
    );

create policy admin_update on plans.plans for update to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'))
    with check (
        organization_id = (select auth.org() where auth.role() = 'admin')
        and exists (select from academic.subjects s where s.id = subject_id)
        and (course_id is null or exists (select from academic.courses c where c.id = course_id))
    );

create policy admin_delete on plans.plans for delete to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));
