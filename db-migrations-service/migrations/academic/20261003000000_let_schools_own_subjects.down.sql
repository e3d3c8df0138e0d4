-- Undoes let_schools_own_subjects: subjects of schools join the shared catalogue. It fails, and changes
-- nothing, while two of them have the same code.

drop policy parent_select on academic.subjects;
drop policy student_select on academic.subjects;
drop policy teacher_select on academic.subjects;
drop policy admin_delete on academic.subjects;
drop policy admin_update on academic.subjects;
drop policy admin_insert on academic.subjects;
drop policy admin_select on academic.subjects;

alter policy member_select on academic.subjects
    using ((select auth.uid()) is not null);

revoke update (name, code, description, grade_level, is_active) on academic.subjects from app_user;
revoke insert, delete on academic.subjects from app_user;

drop function academic.my_subjects();
drop index academic.subjects_organization_id_name_idx;
drop index academic.subjects_shared_code_key;
alter table academic.subjects
    drop constraint subjects_organization_id_code_key,
    add constraint subjects_code_key unique (code),
    drop column organization_id;

comment on index academic.subjects_code_key is 'Finds a subject by code, in seeds and imports.';
