-- Who teaches which course. From here a teacher's reach is read: their courses, and later the students in
-- them.
-- requires: users/20260901030000

create table academic.teacher_courses (
    id uuid not null default gen_random_uuid(),
    teacher_id uuid not null,
    course_id uuid not null,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint teacher_courses_pkey primary key (id),
    constraint teacher_courses_teacher_id_course_id_key unique (teacher_id, course_id),
    constraint teacher_courses_teacher_id_fkey foreign key (teacher_id) references auth.users (id) on delete cascade,
    constraint teacher_courses_course_id_fkey foreign key (course_id) references academic.courses (id) on delete cascade
);

comment on table academic.teacher_courses is 'Teachers of courses.';
comment on column academic.teacher_courses.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column academic.teacher_courses.teacher_id is 'Who teaches.';
comment on column academic.teacher_courses.course_id is 'Which course.';
comment on column academic.teacher_courses.is_active is 'False once the teacher has left the course.';
comment on column academic.teacher_courses.created_at is 'When the row was written (UTC).';
comment on column academic.teacher_courses.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index teacher_courses_course_id_idx on academic.teacher_courses (course_id);

comment on index academic.teacher_courses_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index academic.teacher_courses_teacher_id_course_id_key is 'Lists the courses of a teacher, also for my_taught_courses(); filters teacher_select; cascades from auth.users.';
comment on index academic.teacher_courses_course_id_idx is 'Lists the teachers of a course; filters the admin policies; cascades from courses.';

create trigger teacher_courses_set_updated_at
    before update on academic.teacher_courses
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table academic.teacher_courses enable row level security;
alter table academic.teacher_courses force row level security;

create policy owner_all on academic.teacher_courses to academic_owner using (true) with check (true);
create policy service_all on academic.teacher_courses to academic_service using (true) with check (true);

create function academic.my_organization_courses()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select c.id
        from academic.courses c
        where c.organization_id = auth.org()
          and auth.role() in ('admin', 'teacher')
    );
end
$$;

comment on function academic.my_organization_courses() is 'All courses of the organization of the claims, for its admins and teachers; empty for others.';
grant execute on function academic.my_organization_courses() to app_user;

create function academic.my_taught_courses()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select tc.course_id
        from academic.teacher_courses tc
        join academic.courses c on c.id = tc.course_id
        where tc.teacher_id = auth.uid()
          and tc.is_active
          and c.organization_id = auth.org()
          and auth.role() = 'teacher'
    );
end
$$;

comment on function academic.my_taught_courses() is 'Courses the caller teaches in the organization of the claims; empty for all but teachers.';
grant execute on function academic.my_taught_courses() to app_user;

-- An admin may only name somebody who is a teacher of the school, for the row opens the course's students to
-- that person. The subquery runs under the policies of user_roles: what the admin cannot see cannot be named.
grant select, insert, delete on academic.teacher_courses to app_user;
grant update (is_active) on academic.teacher_courses to app_user;

create policy admin_select on academic.teacher_courses for select to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]));

create policy admin_insert on academic.teacher_courses for insert to app_user
    with check (
        course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[])
        and exists (
            select from users.user_roles r
            where r.user_id = teacher_id
              and r.organization_id = (select auth.org())
              and r.role = 'teacher'
              and r.is_active
        )
    );

create policy admin_update on academic.teacher_courses for update to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]))
    with check (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]));

create policy admin_delete on academic.teacher_courses for delete to app_user
    using (course_id = any ((select academic.my_organization_courses() where auth.role() = 'admin')::uuid[]));

create policy teacher_select on academic.teacher_courses for select to app_user
    using (
        teacher_id = (select auth.uid() where auth.role() = 'teacher')
        and course_id = any ((select academic.my_taught_courses() where auth.role() = 'teacher')::uuid[])
    );
