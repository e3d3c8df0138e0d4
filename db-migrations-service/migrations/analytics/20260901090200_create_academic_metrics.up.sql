-- Measures of subjects, courses and schools. A row names at least one of the three, and its organization
-- whenever it has one: that is what its policies go by.

create table analytics.academic_metrics (
    id uuid not null default gen_random_uuid(),
    subject_id uuid,
    course_id uuid,
    organization_id uuid,
    metric_type varchar(50) not null,
    metric_value numeric(10,2) not null,
    metric_data jsonb not null default '{}',
    recorded_at timestamptz not null default now(),
    constraint academic_metrics_pkey primary key (id),
    constraint academic_metrics_subject_id_fkey foreign key (subject_id) references academic.subjects (id),
    constraint academic_metrics_course_id_fkey foreign key (course_id) references academic.courses (id),
    constraint academic_metrics_organization_id_fkey foreign key (organization_id) references organizations.organizations (id),
    constraint academic_metrics_scope_check check (num_nonnulls(subject_id, course_id, organization_id) >= 1)
);

comment on table analytics.academic_metrics is 'Measures of subjects, courses and schools, one row per measure and time.';
comment on column analytics.academic_metrics.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column analytics.academic_metrics.subject_id is 'Subject that was measured.';
comment on column analytics.academic_metrics.course_id is 'Course that was measured.';
comment on column analytics.academic_metrics.organization_id is 'School that was measured, or to which subject and course belong.';
comment on column analytics.academic_metrics.metric_type is 'What was measured, e.g. average_score, course_progress, active_students.';
comment on column analytics.academic_metrics.metric_value is 'The measure.';
comment on column analytics.academic_metrics.metric_data is 'What it was derived from.';
comment on column analytics.academic_metrics.recorded_at is 'When it was measured (UTC).';

create index academic_metrics_organization_id_idx on analytics.academic_metrics (organization_id, recorded_at desc);
create index academic_metrics_course_id_idx on analytics.academic_metrics (course_id, recorded_at desc);
create index academic_metrics_subject_id_idx on analytics.academic_metrics (subject_id, recorded_at desc);

comment on index analytics.academic_metrics_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index analytics.academic_metrics_organization_id_idx is 'Charts the measures of a school over time; filters admin_select.';
comment on index analytics.academic_metrics_course_id_idx is 'Charts the measures of a course over time; filters both policies.';
comment on index analytics.academic_metrics_subject_id_idx is 'Charts the measures of a subject over time.';

alter table analytics.academic_metrics enable row level security;
alter table analytics.academic_metrics force row level security;

create policy owner_all on analytics.academic_metrics to analytics_owner using (true) with check (true);
create policy service_all on analytics.academic_metrics to analytics_service using (true) with check (true);

-- A measure of a course may come without its organization; a measure of the shared catalogue alone has none,
-- and stays with the services.
grant select on analytics.academic_metrics to app_user;

create policy admin_select on analytics.academic_metrics for select to app_user
    using (
        organization_id = (select auth.org() where auth.role() = 'admin')
        or organization_id is null and course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[])
    );

create policy teacher_select on analytics.academic_metrics for select to app_user
    using (
        course_id = any ((select academic.my_taught_courses() where auth.role() = 'teacher')::uuid[])
        and (organization_id = (select auth.org()) or organization_id is null)
    );
