-- Two schools may both call a course MAT-6A. Across schools, a duplicate key would also tell one what another
-- runs.

alter table academic.courses
    drop constraint courses_code_key,
    add constraint courses_organization_id_code_key unique (organization_id, code);

-- The constraint lets NULL organizations repeat a code, and NULLS NOT DISTINCT needs PostgreSQL 15.
create unique index courses_template_code_key on academic.courses (code) where organization_id is null;

comment on index academic.courses_organization_id_code_key is 'Finds a course of a school by code.';
comment on index academic.courses_template_code_key is 'Finds a template of the platform by code.';
