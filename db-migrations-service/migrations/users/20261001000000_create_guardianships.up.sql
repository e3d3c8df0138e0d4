-- Who follows which student. A guardianship opens a minor's plans and results to a person, so it is written
-- by admins only, who are looked up and not believed by their claim; it holds within one school, and both
-- people must have their role in it.

create table users.guardianships (
    id uuid not null default gen_random_uuid(),
    parent_id uuid not null,
    student_id uuid not null,
    organization_id uuid not null,
    relationship varchar(20) not null default 'guardian',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint guardianships_pkey primary key (id),
    constraint guardianships_parent_id_student_id_organization_id_key unique (parent_id, student_id, organization_id),
    constraint guardianships_parent_id_fkey foreign key (parent_id) references auth.users (id) on delete cascade,
    constraint guardianships_student_id_fkey foreign key (student_id) references auth.users (id) on delete cascade,
    constraint guardianships_organization_id_fkey foreign key (organization_id) references organizations.organizations (id) on delete cascade,
    constraint guardianships_relationship_check check (relationship in ('mother', 'father', 'guardian', 'other')),
    constraint guardianships_student_id_check check (student_id <> parent_id)
);

comment on table users.guardianships is 'Parents and other guardians of students, as a school has recorded them.';
comment on column users.guardianships.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column users.guardianships.parent_id is 'Who may follow the student.';
comment on column users.guardianships.student_id is 'The student.';
comment on column users.guardianships.organization_id is 'School that recorded it, and within which it holds.';
comment on column users.guardianships.relationship is 'What the person is to the student: mother, father, guardian or other.';
comment on column users.guardianships.is_active is 'False once the person may no longer follow the student.';
comment on column users.guardianships.created_at is 'When the row was written (UTC).';
comment on column users.guardianships.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index guardianships_student_id_idx on users.guardianships (student_id);
create index guardianships_organization_id_idx on users.guardianships (organization_id);

comment on index users.guardianships_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index users.guardianships_parent_id_student_id_organization_id_key is 'Lists the children of a parent, also for my_children(); filters parent_select; cascades from auth.users.';
comment on index users.guardianships_student_id_idx is 'Lists the guardians of a student; filters student_select; cascades from auth.users.';
comment on index users.guardianships_organization_id_idx is 'Lists the guardianships of a school; filters the admin policies; cascades from organizations.';

create trigger guardianships_set_updated_at
    before update on users.guardianships
    for each row
    when (old.* is distinct from new.*)
    execute function public.set_updated_at();

alter table users.guardianships enable row level security;
alter table users.guardianships force row level security;

create policy owner_all on users.guardianships to users_owner using (true) with check (true);
create policy service_all on users.guardianships to users_service using (true) with check (true);

create function users.my_children()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select g.student_id
        from users.guardianships g
        where g.parent_id = auth.uid()
          and g.organization_id = auth.org()
          and g.is_active
          and auth.role() = 'parent'
    );
end
$$;

comment on function users.my_children() is 'Students the caller follows in the organization of the claims; empty for all but parents.';
grant execute on function users.my_children() to app_user;

grant select, insert, delete on users.guardianships to app_user;
grant update (relationship, is_active) on users.guardianships to app_user;

create policy admin_select on users.guardianships for select to app_user
    using (organization_id = (select users.my_admin_organization()));

create policy admin_insert on users.guardianships for insert to app_user
    with check (
        organization_id = (select users.my_admin_organization())
        and exists (
            select from users.user_roles r
            where r.user_id = parent_id
              and r.organization_id = (select auth.org())
              and r.role = 'parent'
              and r.is_active
        )
        and exists (
            select from users.user_roles r
            where r.user_id = student_id
              and r.organization_id = (select auth.org())
              and r.role = 'student'
              and r.is_active
        )
    );

create policy admin_update on users.guardianships for update to app_user
    using (organization_id = (select users.my_admin_organization()))
    with check (organization_id = (select users.my_admin_organization()));

create policy admin_delete on users.guardianships for delete to app_user
    using (organization_id = (select users.my_admin_organization()));

create policy parent_select on users.guardianships for select to app_user
    using (parent_id = (select auth.uid() where auth.role() = 'parent') and organization_id = (select auth.org()));

create policy student_select on users.guardianships for select to app_user
    using (
        student_id = (select auth.uid() where auth.role() = 'student')
        and organization_id = (select auth.org())
    );

-- A parent is shown the names of the children they follow.
create policy parent_select on users.user_profiles for select to app_user
    using (user_id = any ((select users.my_children() where auth.role() = 'parent')::uuid[]));
