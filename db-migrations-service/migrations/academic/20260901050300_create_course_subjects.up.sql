-- Which subjects a course teaches. A pair is added or removed, never changed, so nobody is granted UPDATE.

create table academic.course_subjects (
    id uuid not null default gen_random_uuid(),
    course_id uuid not null,
    subject_id uuid not null,
    created_at timestamptz not null default now(),
    constraint course_subjects_pkey primary key (id),
    constraint course_subjects_course_id_subject_id_key unique (course_id, subject_id),
    constraint course_subjects_course_id_fkey foreign key (course_id) references academic.courses (id) on delete cascade,
    constraint course_subjects_subject_id_fkey foreign key (subject_id) references academic.subjects (id) on delete cascade
);

comment on table academic.course_subjects is 'Subjects taught in courses.';
comment on column academic.course_subjects.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column academic.course_subjects.course_id is 'The course.';
comment on column academic.course_subjects.subject_id is 'The subject.';
comment on column academic.course_subjects.created_at is 'When the row was written (UTC).';

create index course_subjects_subject_id_idx on academic.course_subjects (subject_id);

comment on index academic.course_subjects_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index academic.course_subjects_course_id_subject_id_key is 'Lists the subjects of a course; filters every policy; cascades from courses.';
comment on index academic.course_subjects_subject_id_idx is 'Lists the courses of a subject; cascades from subjects.';

alter table academic.course_subjects enable row level security;
alter table academic.course_subjects force row level security;

create policy owner_all on academic.course_subjects to academic_owner using (true) with check (true);
create policy service_all on academic.course_subjects to academic_service using (true) with check (true);

-- The subquery runs under the policies of subjects: only a subject the admin can see can be added.
grant select, insert, delete on academic.course_subjects to app_user;

create policy admin_select on academic.course_subjects for select to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]));

create policy admin_insert on academic.course_subjects for insert to app_user
    with check (
        course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[])
        and exists (select from academic.subjects s where s.id = subject_id)
    );

create policy admin_delete on academic.course_subjects for delete to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]));

create policy teacher_select on academic.course_subjects for select to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'teacher')::uuid[]));
