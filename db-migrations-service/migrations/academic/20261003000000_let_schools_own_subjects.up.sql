-- A school may teach what the shared catalogue lacks. A subject without organization stays in the catalogue,
-- kept by the academic service; one with it belongs to that school, whose admins keep it.
-- A code is unique within its owner only: across owners, a duplicate key would also tell one school what
-- another teaches.

alter table academic.subjects
    add column organization_id uuid,
    add constraint subjects_organization_id_fkey foreign key (organization_id) references organizations.organizations (id),
    drop constraint subjects_code_key,
    add constraint subjects_organization_id_code_key unique (organization_id, code);

comment on column academic.subjects.organization_id is 'School that owns the subject; NULL in the catalogue all schools share.';

-- The constraint lets NULL organizations repeat a code, and NULLS NOT DISTINCT needs PostgreSQL 15.
create unique index subjects_shared_code_key on academic.subjects (code) where organization_id is null;
create index subjects_organization_id_name_idx on academic.subjects (organization_id, name);

comment on index academic.subjects_organization_id_code_key is 'Finds a subject of a school by code.';
comment on index academic.subjects_shared_code_key is 'Finds a subject of the shared catalogue by code, in seeds and imports.';
comment on index academic.subjects_organization_id_name_idx is 'Lists the subjects of a school, or the shared ones, by name; filters every policy that goes by the school.';

create function academic.my_subjects()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select distinct cs.subject_id
        from academic.course_subjects cs
        where cs.course_id = any ((select academic.my_enrolled_courses() || academic.my_children_courses())::uuid[])
    );
end
$$;

comment on function academic.my_subjects() is 'Subjects taught in the courses of the caller, as a student, or of their children, as a parent; empty for others.';
grant execute on function academic.my_subjects() to app_user;

grant insert, delete on academic.subjects to app_user;
grant update (name, code, description, grade_level, is_active) on academic.subjects to app_user;

alter policy member_select on academic.subjects
    using (organization_id is null and (select auth.uid()) is not null);

create policy admin_select on academic.subjects for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_insert on academic.subjects for insert to app_user
    with check (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_update on academic.subjects for update to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'))
    with check (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_delete on academic.subjects for delete to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy teacher_select on academic.subjects for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'teacher'));

create policy student_select on academic.subjects for select to app_user
    using (id = any ((select academic.my_subjects() where auth.role() = 'student')::uuid[]));

create policy parent_select on academic.subjects for select to app_user
    using (id = any ((select academic.my_subjects() where auth.role() = 'parent')::uuid[]));
