-- Memberships: who is what in which school. The tenancy of a person is read from here, for auth.users knows
-- none.
-- A role is held at most once per organization. A plain unique constraint would let NULL organizations
-- repeat, and NULLS NOT DISTINCT needs PostgreSQL 15: hence the index on coalesce, with the nil UUID that
-- gen_random_uuid() never makes.

grant usage on schema users to app_user;

create table users.user_roles (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    role varchar(20) not null,
    organization_id uuid,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint user_roles_pkey primary key (id),
    constraint user_roles_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
    constraint user_roles_role_fkey foreign key (role) references public.roles (name),
    constraint user_roles_organization_id_fkey foreign key (organization_id) references organizations.organizations (id)
);

comment on table users.user_roles is 'Memberships: the roles people hold, each in one organization.';
comment on column users.user_roles.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column users.user_roles.user_id is 'Who holds the role.';
comment on column users.user_roles.role is 'Which role.';
comment on column users.user_roles.organization_id is 'In which organization; NULL for a role that is not bound to one.';
comment on column users.user_roles.is_active is 'False while the membership is suspended: the person keeps the account and loses the school.';
comment on column users.user_roles.created_at is 'When the row was written (UTC).';
comment on column users.user_roles.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create unique index user_roles_user_id_role_organization_id_key on users.user_roles (
    user_id, role, coalesce(organization_id, '00000000-0000-0000-0000-000000000000')
);
create index user_roles_organization_id_role_idx on users.user_roles (organization_id, role);
create index user_roles_role_idx on users.user_roles (role);

comment on index users.user_roles_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index users.user_roles_user_id_role_organization_id_key is 'Reads the roles of a user at sign-in; filters self_select; cascades from auth.users; keeps a role from being given twice.';
comment on index users.user_roles_organization_id_role_idx is 'Lists the people of a school by role (teachers, students); filters admin_select and the membership lookups.';
comment on index users.user_roles_role_idx is 'Checks that a role is unused before it leaves public.roles.';

create trigger user_roles_set_updated_at
    before update on users.user_roles
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table users.user_roles enable row level security;
alter table users.user_roles force row level security;

create policy owner_all on users.user_roles to users_owner using (true) with check (true);
create policy service_all on users.user_roles to users_service using (true) with check (true);

-- Reading only: what gives power is guarded by a lookup of the caller's own membership, in the next
-- migration.
grant select on users.user_roles to app_user;

create policy self_select on users.user_roles for select to app_user
    using (user_id = (select auth.uid()));

create policy admin_select on users.user_roles for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));
