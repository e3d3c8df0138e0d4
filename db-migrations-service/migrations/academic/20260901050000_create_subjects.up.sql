-- The catalogue of subjects, shared by all schools and readable by everybody who is signed in. Subjects of a
-- single school come with a later migration.

grant usage on schema academic to app_user;

create table academic.subjects (
    id uuid not null default gen_random_uuid(),
    name varchar(255) not null,
    code varchar(50) not null,
    description text,
    grade_level varchar(20),
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint subjects_pkey primary key (id),
    constraint subjects_code_key unique (code),
    constraint subjects_grade_level_check check (grade_level in ('elementary', 'middle', 'high'))
);

comment on table academic.subjects is 'Subjects that are taught (mathematics, language, …).';
comment on column academic.subjects.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column academic.subjects.name is 'Name of the subject.';
comment on column academic.subjects.code is 'Short code of the subject.';
comment on column academic.subjects.description is 'What it covers.';
comment on column academic.subjects.grade_level is 'Level it is taught at: elementary, middle or high; NULL for all.';
comment on column academic.subjects.is_active is 'Whether new plans and courses may use it.';
comment on column academic.subjects.created_at is 'When the row was written (UTC).';
comment on column academic.subjects.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

comment on index academic.subjects_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index academic.subjects_code_key is 'Finds a subject by code, in seeds and imports.';

create trigger subjects_set_updated_at
    before update on academic.subjects
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table academic.subjects enable row level security;
alter table academic.subjects force row level security;

create policy owner_all on academic.subjects to academic_owner using (true) with check (true);
create policy service_all on academic.subjects to academic_service using (true) with check (true);

-- The catalogue is kept by the academic service in its own role: no member changes what all schools share.
grant select on academic.subjects to app_user;

create policy member_select on academic.subjects for select to app_user
    using ((select auth.uid()) is not null);
