-- Who studies in which course. From here a teacher's students are read, and what students and parents see of
-- courses.
-- requires: users/20261001000000

create table academic.enrolments (
    id uuid not null default gen_random_uuid(),
    student_id uuid not null,
    course_id uuid not null,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint enrolments_pkey primary key (id),
    constraint enrolments_student_id_course_id_key unique (student_id, course_id),
    constraint enrolments_student_id_fkey foreign key (student_id) references auth.users (id) on delete cascade,
    constraint enrolments_course_id_fkey foreign key (course_id) references academic.courses (id) on delete cascade
);

comment on table academic.enrolments is 'Students of courses.';
comment on column academic.enrolments.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column academic.enrolments.student_id is 'Who studies.';
comment on column academic.enrolments.course_id is 'In which course.';
comment on column academic.enrolments.is_active is 'False once the student has left the course.';
comment on column academic.enrolments.created_at is 'When the row was written (UTC).';
comment on column academic.enrolments.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index enrolments_course_id_idx on academic.enrolments (course_id);

comment on index academic.enrolments_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index academic.enrolments_student_id_course_id_key is 'Lists the courses of a student, also for my_enrolled_courses(); filters the student and parent policies; cascades from auth.users.';
comment on index academic.enrolments_course_id_idx is 'Lists the students of a course, also for my_students(); filters the admin and teacher policies; cascades from courses.';

create trigger enrolments_set_updated_at
    before update on academic.enrolments
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table academic.enrolments enable row level security;
alter table academic.enrolments force row level security;

create policy owner_all on academic.enrolments to academic_owner using (true) with check (true);
create policy service_all on academic.enrolments to academic_service using (true) with check (true);

create function academic.my_enrolled_courses()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select e.course_id
        from academic.enrolments e
        join academic.courses c on c.id = e.course_id
        where e.student_id = auth.uid()
          and e.is_active
          and c.organization_id = auth.org()
          and auth.role() = 'student'
    );
end
$$;

comment on function academic.my_enrolled_courses() is 'Courses the caller studies in, in the organization of the claims; empty for all but students.';
grant execute on function academic.my_enrolled_courses() to app_user;

create function academic.my_children_courses()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select distinct e.course_id
        from academic.enrolments e
        join academic.courses c on c.id = e.course_id
        where e.student_id = any ((select users.my_children())::uuid[])
          and e.is_active
          and c.organization_id = auth.org()
    );
end
$$;

comment on function academic.my_children_courses() is 'Courses in which children of the caller study, in the organization of the claims; empty for all but parents.';
grant execute on function academic.my_children_courses() to app_user;

create function academic.my_students()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select distinct e.student_id
        from academic.enrolments e
        where e.course_id = any ((select academic.my_taught_courses())::uuid[])
          and e.is_active
    );
end
$$;

comment on function academic.my_students() is 'Students of the courses the caller teaches in the organization of the claims; empty for all but teachers.';
grant execute on function academic.my_students() to app_user;

-- An admin may only enrol somebody who is a student of the school, for the row opens that person's name and
-- results to its teachers.
grant select, insert, delete on academic.enrolments to app_user;
grant update (is_active) on academic.enrolments to app_user;

create policy admin_select on academic.enrolments for select to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]));

create policy admin_insert on academic.enrolments for insert to app_user
    with check (
        course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[])
        and exists (
            select from users.user_roles r
            where r.user_id = student_id
              and r.organization_id = (select auth.org())
              and r.role = 'student'
              and r.is_active
        )
    );

create policy admin_update on academic.enrolments for update to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]))
    with check (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]));

create policy admin_delete on academic.enrolments for delete to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]));

create policy teacher_select on academic.enrolments for select to app_user
    using (course_id = any ((select academic.my_taught_courses() where auth.role() = 'teacher')::uuid[]));

create policy student_select on academic.enrolments for select to app_user
    using (
        student_id = (select auth.uid() where auth.role() = 'student')
        and course_id = any ((select academic.my_enrolled_courses() where auth.role() = 'student')::uuid[])
    );

create policy parent_select on academic.enrolments for select to app_user
    using (
        student_id = any ((select users.my_children() where auth.role() = 'parent')::uuid[])
        and course_id = any ((select academic.my_children_courses() where auth.role() = 'parent')::uuid[])
    );

-- What the design leaves open: students and parents see the courses they are in, and what is taught there,
-- since a plan without its course and subject means little.
create policy student_select on academic.courses for select to app_user
    using (id = any ((select academic.my_enrolled_courses() where auth.role() = 'student')::uuid[]));

create policy parent_select on academic.courses for select to app_user
    using (id = any ((select academic.my_children_courses() where auth.role() = 'parent')::uuid[]));

create policy student_select on academic.course_subjects for select to app_user
    using (course_id = any ((select academic.my_enrolled_courses() where auth.role() = 'student')::uuid[]));

create policy parent_select on academic.course_subjects for select to app_user
    using (course_id = any ((select academic.my_children_courses() where auth.role() = 'parent')::uuid[]));
