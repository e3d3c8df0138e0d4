-- The person behind an account, one profile each. Everyone keeps their own; administrators keep those of the
-- people of their school.

create table users.user_profiles (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    first_name varchar(100) not null,
    last_name varchar(100) not null,
    avatar_url varchar(500),
    phone varchar(20),
    date_of_birth date,
    gender varchar(10),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint user_profiles_pkey primary key (id),
    constraint user_profiles_user_id_key unique (user_id),
    constraint user_profiles_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

comment on table users.user_profiles is 'Names and personal data of people, one row per account.';
comment on column users.user_profiles.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column users.user_profiles.user_id is 'Whose profile it is; one each.';
comment on column users.user_profiles.first_name is 'Given names.';
comment on column users.user_profiles.last_name is 'Family names.';
comment on column users.user_profiles.avatar_url is 'Address of the picture.';
comment on column users.user_profiles.phone is 'Telephone.';
comment on column users.user_profiles.date_of_birth is 'Date of birth.';
comment on column users.user_profiles.gender is 'Gender as the person states it, free text: the design closes no list.';
comment on column users.user_profiles.created_at is 'When the row was written (UTC).';
comment on column users.user_profiles.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

comment on index users.user_profiles_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index users.user_profiles_user_id_key is 'Reads the profile of a user; filters every policy; cascades from auth.users.';

create trigger user_profiles_set_updated_at
    before update on users.user_profiles
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table users.user_profiles enable row level security;
alter table users.user_profiles force row level security;

create policy owner_all on users.user_profiles to users_owner using (true) with check (true);
create policy service_all on users.user_profiles to users_service using (true) with check (true);

-- An admin reads the profile of everybody in their school, but writes only those of people who belong to no
-- other: a shared person's data is not one school's to change.
grant select, insert, delete on users.user_profiles to app_user;
grant update (first_name, last_name, avatar_url, phone, date_of_birth, gender) on users.user_profiles to app_user;

create policy self_select on users.user_profiles for select to app_user
    using (user_id = (select auth.uid()));

create policy self_insert on users.user_profiles for insert to app_user
    with check (user_id = (select auth.uid()));

create policy self_update on users.user_profiles for update to app_user
    using (user_id = (select auth.uid()))
    with check (user_id = (select auth.uid()));

create policy admin_select on users.user_profiles for select to app_user
    using (user_id = any ((select users.my_organization_users() where auth.role() = 'admin')::uuid[]));

create policy admin_insert on users.user_profiles for insert to app_user
    with check (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));

create policy admin_update on users.user_profiles for update to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]))
    with check (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));

create policy admin_delete on users.user_profiles for delete to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));
