-- How a person wants the platform to look and speak, one row each. Personal: administrators read it to help,
-- and do not change it.

create table users.user_preferences (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    language varchar(10) not null default 'es',
    timezone varchar(50) not null default 'America/Bogota',
    notification_settings jsonb not null default '{}',
    theme varchar(20) not null default 'light',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint user_preferences_pkey primary key (id),
    constraint user_preferences_user_id_key unique (user_id),
    constraint user_preferences_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
    constraint user_preferences_notification_settings_check check (jsonb_typeof(notification_settings) = 'object')
);

comment on table users.user_preferences is 'Preferences of people, one row per account.';
comment on column users.user_preferences.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column users.user_preferences.user_id is 'Whose preferences they are; one row each.';
comment on column users.user_preferences.language is 'Language of the interface, a BCP 47 tag.';
comment on column users.user_preferences.timezone is 'Time zone, a name of the IANA database.';
comment on column users.user_preferences.notification_settings is 'Which notices the person wants and through which channel.';
comment on column users.user_preferences.theme is 'Theme of the interface.';
comment on column users.user_preferences.created_at is 'When the row was written (UTC).';
comment on column users.user_preferences.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

comment on index users.user_preferences_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index users.user_preferences_user_id_key is 'Reads the preferences of a user; filters every policy; cascades from auth.users.';

create trigger user_preferences_set_updated_at
    before update on users.user_preferences
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table users.user_preferences enable row level security;
alter table users.user_preferences force row level security;

create policy owner_all on users.user_preferences to users_owner using (true) with check (true);
create policy service_all on users.user_preferences to users_service using (true) with check (true);

grant select, insert on users.user_preferences to app_user;
grant update (language, timezone, notification_settings, theme) on users.user_preferences to app_user;

create policy self_select on users.user_preferences for select to app_user
    using (user_id = (select auth.uid()));

create policy self_insert on users.user_preferences for insert to app_user
    with check (user_id = (select auth.uid()));

create policy self_update on users.user_preferences for update to app_user
    using (user_id = (select auth.uid()))
    with check (user_id = (select auth.uid()));

create policy admin_select on users.user_preferences for select to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));
