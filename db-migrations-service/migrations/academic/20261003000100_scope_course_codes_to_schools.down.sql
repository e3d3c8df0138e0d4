-- Undoes scope_course_codes_to_schools. It fails, and changes nothing, while two courses have the same code.

drop index academic.courses_template_code_key;
alter table academic.courses
    drop constraint courses_organization_id_code_key,
    add constraint courses_code_key unique (code);

comment on index academic.courses_code_key is 'Finds a course by code, in seeds and imports.';
