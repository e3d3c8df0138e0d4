-- Settings of a school as key and JSON value. They may hold credentials of connected systems, so only its
-- administrators see them; what others need is served by the organization service.

create table organizations.organization_configs (
    id uuid not null default gen_random_uuid(),
    organization_id uuid not null,
    config_key varchar(100) not null,
    config_value jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint organization_configs_pkey primary key (id),
    constraint organization_configs_organization_id_config_key_key unique (organization_id, config_key),
    constraint organization_configs_organization_id_fkey foreign key (organization_id) references organizations.organizations (id) on delete cascade
);

comment on table organizations.organization_configs is 'Settings of a school, one row per key.';
comment on column organizations.organization_configs.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column organizations.organization_configs.organization_id is 'Whose setting it is.';
comment on column organizations.organization_configs.config_key is 'Name of the setting, unique within the school.';
comment on column organizations.organization_configs.config_value is 'Its value.';
comment on column organizations.organization_configs.created_at is 'When the row was written (UTC).';
comment on column organizations.organization_configs.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

comment on index organizations.organization_configs_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index organizations.organization_configs_organization_id_config_key_key is 'Lists the settings of a school and reads one by its key; filters the admin policies; cascades from organizations.';

create trigger organization_configs_set_updated_at
    before update on organizations.organization_configs
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table organizations.organization_configs enable row level security;
alter table organizations.organization_configs force row level security;

create policy owner_all on organizations.organization_configs to organizations_owner using (true) with check (true);
create policy service_all on organizations.organization_configs to organizations_service using (true) with check (true);

grant select, insert, delete on organizations.organization_configs to app_user;
grant update (config_value) on organizations.organization_configs to app_user;

create policy admin_select on organizations.organization_configs for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_insert on organizations.organization_configs for insert to app_user
    with check (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_update on organizations.organization_configs for update to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'))
    with check (organization_id = (select auth.org() where auth.role() = 'admin'));

create policy admin_delete on organizations.organization_configs for delete to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));
