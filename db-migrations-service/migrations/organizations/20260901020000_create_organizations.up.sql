-- The tenants. Everything that belongs to a school carries its organization_id, and policies compare it with
-- the claim "org": nobody sees two schools at once.

grant usage on schema organizations to app_user;

create table organizations.organizations (
    id uuid not null default gen_random_uuid(),
    name varchar(255) not null,
    description text,
    logo_url varchar(500),
    website varchar(255),
    email varchar(255),
    phone varchar(20),
    address text,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint organizations_pkey primary key (id)
);

comment on table organizations.organizations is 'Schools and other institutions: the tenants of the platform.';
comment on column organizations.organizations.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column organizations.organizations.name is 'Name of the school.';
comment on column organizations.organizations.description is 'What the school says about itself.';
comment on column organizations.organizations.logo_url is 'Address of its logo.';
comment on column organizations.organizations.website is 'Its web site.';
comment on column organizations.organizations.email is 'Its contact address.';
comment on column organizations.organizations.phone is 'Its telephone.';
comment on column organizations.organizations.address is 'Its postal address.';
comment on column organizations.organizations.is_active is 'Whether the school may use the platform; decided by the platform, not by the school.';
comment on column organizations.organizations.created_at is 'When the row was written (UTC).';
comment on column organizations.organizations.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index organizations_name_idx on organizations.organizations (lower(name));

comment on index organizations.organizations_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index organizations.organizations_name_idx is 'Finds a school by name when the platform registers one.';

create trigger organizations_set_updated_at
    before update on organizations.organizations
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table organizations.organizations enable row level security;
alter table organizations.organizations force row level security;

create policy owner_all on organizations.organizations to organizations_owner using (true) with check (true);
create policy service_all on organizations.organizations to organizations_service using (true) with check (true);

-- Schools are founded, suspended and removed by the organization service in its own role: no member can, so
-- neither INSERT nor DELETE is granted, nor the change of is_active.
grant select on organizations.organizations to app_user;
grant update (name, description, logo_url, website, email, phone, address) on organizations.organizations to app_user;

create policy member_select on organizations.organizations for select to app_user
    using (id = (select auth.org() where auth.role() in ('admin', 'teacher', 'student', 'parent')));

create policy admin_update on organizations.organizations for update to app_user
    using (id = (select auth.org() where auth.role() = 'admin'))
    with check (id = (select auth.org() where auth.role() = 'admin'));
