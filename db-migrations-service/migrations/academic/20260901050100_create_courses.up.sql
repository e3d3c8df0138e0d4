-- Courses of a school: a group of students in a year. Its administrators keep them, its teachers read them. A
-- course without organization is a template of the platform and is seen by services only.

create table academic.courses (
    id uuid not null default gen_random_uuid(),
    name varchar(255) not null,
    code varchar(50) not null,
    description text,
    grade_level varchar(20),
    academic_year varchar(10),
    organization_id uuid,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint courses_pkey primary key (id),
    constraint courses_code_key unique (code),
    constraint courses_organization_id_fkey foreign key (organization_id) references organizations.organizations (id),
    constraint courses_grade_level_check check (grade_level in ('elementary', 'middle', 'high'))
);

comment on table academic.courses is 'Courses: groups of students of a school in an academic year.';
comment on column academic.courses.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column academic.courses.name is 'Name of the course.';
comment on column academic.courses.code is 'Short code of the course.';
comment on column academic.courses.description is 'What the course is about.';
comment on column academic.courses.grade_level is 'Level: elementary, middle or high.';
comment on column academic.courses.academic_year is 'Year it runs in, as the school writes it (2026, 2026-2027).';
comment on column academic.courses.organization_id is 'School it belongs to; NULL for a template of the platform.';
comment on column academic.courses.is_active is 'Whether the course is running.';
comment on column academic.courses.created_at is 'When the row was written (UTC).';
comment on column academic.courses.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index courses_organization_id_name_idx on academic.courses (organization_id, name);

comment on index academic.courses_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index academic.courses_code_key is 'Finds a course by code, in seeds and imports.';
comment on index academic.courses_organization_id_name_idx is 'Lists the courses of a school by name; filters the admin and teacher policies.';

create trigger courses_set_updated_at
    before update on academic.courses
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table academic.courses enable row level security;
alter table academic.courses force row level security;

create policy owner_all on academic.courses to academic_owner using (true) with check (true);
create policy service_all on academic.courses to academic_service using (true) with check (true);

grant select, insert, delete on academic.courses to app_user;
grant update (name, code, description, grade_level, academic_year, is_active) on academic.courses to app_user;

create policy admin_select on academic.courses for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_insert on academic.courses for insert to app_user
    with check (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_update on academic.courses for update to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'))
    with check (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_delete on academic.courses for delete to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy teacher_select on academic.courses for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'teacher'));
