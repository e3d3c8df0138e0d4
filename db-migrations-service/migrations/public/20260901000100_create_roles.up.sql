-- The closed list of roles, in one place: users.user_roles and files.file_permissions both point here, and
-- neither could point at the other (a role is held by many). A table rather than an enum, because comparing
-- enums is not leakproof and would keep row level security from using indexes.
-- The rows are reference data and come with the seeds.

create table public.roles (
    name varchar(20) not null,
    description text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint roles_pkey primary key (name),
    constraint roles_name_check check (name ~ '^[a-z][a-z_]*$')
);

comment on table public.roles is 'Roles a person can hold in an organization: admin, teacher, student, parent.';
comment on column public.roles.name is 'The role as it stands in claims, in user_roles and in file_permissions.';
comment on column public.roles.description is 'What the role is for, in the words shown to an administrator (Spanish).';
comment on column public.roles.created_at is 'When the row was written (UTC).';
comment on column public.roles.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

comment on index public.roles_pkey is 'Checks that a role given to a person or a file exists.';

create trigger roles_set_updated_at
    before update on public.roles
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table public.roles enable row level security;
alter table public.roles force row level security;

create policy owner_all on public.roles to platform_owner using (true) with check (true);
create policy service_all on public.roles to platform_service using (true) with check (true);

-- Four public words: whoever may connect may read them. USAGE on schema public is everyone's by default.
grant select on public.roles to app_user;

create policy member_select on public.roles for select to app_user
    using (true);
