-- The people of a school, one row for each school and person, as lists and searches need them: names, address, roles and state
-- beside the school's id. Read from user_roles, user_profiles and accounts, a list of a large school would first
-- collect all of its people for three policies: 200,000 of them in 150 ms, for twenty rows. Triggers keep it; nobody writes
-- what they keep.
-- It is also what a school itself knows of a person: its own number for them, what they teach, whether they were removed, and
-- the invitation. Whoever belongs to another school too is in the list from the start, with the names that this school
-- wrote, but gets their roles (offered) only when they accept: until then their profile stays closed.
-- No operator in here leaks, so that the policies let every index be used (comparisons of text in the collation "C").
-- requires: auth/20261102000000

create function users.fold(words text)
    returns text
    language sql immutable parallel safe
as $$
    select btrim(regexp_replace(
        translate(
            lower(words),
            'áàäâãåÁÀÄÂÃÅéèëêÉÈËÊíìïîÍÌÏÎóòöôõÓÒÖÔÕúùüûÚÙÜÛñÑçÇ',
            'aaaaaaaaaaaaeeeeeeeeiiiiiiiioooooooooouuuuuuuunncc'
        ),
        '[[:space:][:punct:]]+', ' ', 'g'
    ))
$$;

comment on function users.fold(text) is 'Words as they are compared: small letters, without accents, one space between them.';
grant execute on function users.fold(text) to app_user;

create table users.members (
    id uuid not null default gen_random_uuid(),
    organization_id uuid not null,
    user_id uuid not null,
    first_name varchar(100) not null,
    last_name varchar(100) not null,
    email varchar(255) not null,
    roles text[] not null default '{}',
    offered text[] not null default '{}',
    is_enabled boolean not null default true,
    is_joined boolean not null default false,
    status text not null default 'inactive',
    subjects text[] not null default '{}',
    source_id varchar(255) collate "C",
    deleted_at timestamptz,
    restores text[] not null default '{}',
    invitation_token varchar(64),
    invitation_expires_at timestamptz,
    letter_due_at timestamptz,
    letter_attempts integer not null default 0,
    sort_key text collate "C" not null default '',
    search_text text collate "C" not null default '',
    email_key text collate "C" not null default '',
    word_1 text collate "C",
    word_2 text collate "C",
    word_3 text collate "C",
    word_4 text collate "C",
    word_5 text collate "C",
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint members_pkey primary key (id),
    constraint members_user_id_organization_id_key unique (user_id, organization_id),
    constraint members_organization_id_source_id_key unique (organization_id, source_id),
    constraint members_invitation_token_key unique (invitation_token),
    constraint members_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
    constraint members_organization_id_fkey foreign key (organization_id) references organizations.organizations (id) on delete cascade,
    constraint members_status_check check (status in ('active', 'invited', 'inactive', 'deleted'))
);

comment on table users.members is 'People of a school as it lists them: one row for each school and person, kept by triggers.';
comment on column users.members.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column users.members.organization_id is 'Which school.';
comment on column users.members.user_id is 'Which person.';
comment on column users.members.first_name is 'Given names: those of the profile, or, before the person has accepted, those that the school wrote.';
comment on column users.members.last_name is 'Family names, likewise.';
comment on column users.members.email is 'Address of the account.';
comment on column users.members.roles is 'Roles in the school, those that are only offered among them.';
comment on column users.members.offered is 'Roles that the person gets when they accept; empty for who has none to accept.';
comment on column users.members.is_enabled is 'Whether the school and the account let the person in.';
comment on column users.members.is_joined is 'Whether the person has accepted and shown the address to be theirs.';
comment on column users.members.status is 'active, invited (not joined yet), inactive (not let in) or deleted; follows from the columns around it.';
comment on column users.members.subjects is 'Names of the subjects that a teacher teaches, as the school wrote them.';
comment on column users.members.source_id is 'Number of the person in the school''s own register (OneRoster sourcedId).';
comment on column users.members.deleted_at is 'When the school removed the person (UTC); NULL while it has not.';
comment on column users.members.restores is 'Roles that were active when the person was removed: restoring gives them back.';
comment on column users.members.invitation_token is 'Hash of the token in the last invitation, never the token as mailed.';
comment on column users.members.invitation_expires_at is 'From when on that token is void (UTC).';
comment on column users.members.letter_due_at is 'When an invitation is to be mailed (UTC), ahead of now while somebody is at it; NULL when none is.';
comment on column users.members.letter_attempts is 'How often that letter was tried.';
comment on column users.members.sort_key is 'By which lists are sorted: family names, then given names, folded; kept by trigger.';
comment on column users.members.search_text is 'All words that a search looks for, folded; kept by trigger.';
comment on column users.members.email_key is 'The address in small letters; kept by trigger.';
comment on column users.members.word_1 is 'First word of the names, folded; kept by trigger.';
comment on column users.members.word_2 is 'Second word of the names, folded; NULL without one; kept by trigger.';
comment on column users.members.word_3 is 'Third word of the names, folded; NULL without one; kept by trigger.';
comment on column users.members.word_4 is 'Fourth word of the names, folded; NULL without one; kept by trigger.';
comment on column users.members.word_5 is 'Fifth word of the names, folded; NULL without one; kept by trigger.';
comment on column users.members.created_at is 'When the row was written (UTC).';
comment on column users.members.updated_at is 'When the row last changed in value (UTC); kept by trigger.';

create index members_list_idx on users.members (organization_id, status, sort_key, user_id);
create index members_admins_idx on users.members (organization_id, status, sort_key, user_id) where 'admin' = any (roles);
create index members_teachers_idx on users.members (organization_id, status, sort_key, user_id) where 'teacher' = any (roles);
create index members_students_idx on users.members (organization_id, status, sort_key, user_id) where 'student' = any (roles);
create index members_parents_idx on users.members (organization_id, status, sort_key, user_id) where 'parent' = any (roles);
create index members_email_key_idx on users.members (organization_id, email_key, user_id);
create index members_word_1_idx on users.members (organization_id, word_1, user_id);
create index members_word_2_idx on users.members (organization_id, word_2, user_id) where word_2 is not null;
create index members_word_3_idx on users.members (organization_id, word_3, user_id) where word_3 is not null;
create index members_word_4_idx on users.members (organization_id, word_4, user_id) where word_4 is not null;
create index members_word_5_idx on users.members (organization_id, word_5, user_id) where word_5 is not null;
create index members_letter_due_at_idx on users.members (letter_due_at) where letter_due_at is not null;

comment on index users.members_pkey is 'Reads, changes and deletes one row by id.';
comment on index users.members_user_id_organization_id_key is 'Reads one person of a school; cascades from auth.users.';
comment on index users.members_organization_id_source_id_key is 'Finds a person by the school''s own number, in an import.';
comment on index users.members_invitation_token_key is 'Accepts an invitation by the hash of its token.';
comment on index users.members_list_idx is 'Lists the people of a school by state and name; filters admin_select; cascades from organizations.';
comment on index users.members_admins_idx is 'Lists administrators by state and name.';
comment on index users.members_teachers_idx is 'Lists teachers by state and name.';
comment on index users.members_students_idx is 'Lists students by state and name.';
comment on index users.members_parents_idx is 'Lists parents by state and name.';
comment on index users.members_email_key_idx is 'Searches by the beginning of an address; finds a person by their address, in an import.';
comment on index users.members_word_1_idx is 'Searches by the beginning of the first word of a name.';
comment on index users.members_word_2_idx is 'Searches by the beginning of the second word of a name.';
comment on index users.members_word_3_idx is 'Searches by the beginning of the third word of a name.';
comment on index users.members_word_4_idx is 'Searches by the beginning of the fourth word of a name.';
comment on index users.members_word_5_idx is 'Searches by the beginning of the fifth word of a name.';
comment on index users.members_letter_due_at_idx is 'Takes up invitations that are to be mailed.';

create function users.describe_member()
    returns trigger
    language plpgsql
    set search_path = ''
as $$
declare
    names text := users.fold(new.first_name || ' ' || new.last_name);
begin
    new.status := case
        when new.deleted_at is not null then 'deleted'
        when not new.is_enabled then 'inactive'
        when not new.is_joined then 'invited'
        else 'active'
    end;
    new.sort_key := users.fold(new.last_name || ' ' || new.first_name);
    new.email_key := lower(new.email);
    new.search_text := names || ' ' || users.fold(split_part(new.email, '@', 1));
    new.word_1 := split_part(names, ' ', 1);
    new.word_2 := nullif(split_part(names, ' ', 2), '');
    new.word_3 := nullif(split_part(names, ' ', 3), '');
    new.word_4 := nullif(split_part(names, ' ', 4), '');
    new.word_5 := nullif(split_part(names, ' ', 5), '');
    return new;
end
$$;

comment on function users.describe_member() is 'Trigger: keeps what follows from the other columns of a member.';

create trigger members_describe
    before insert or update on users.members
    for each row
    execute function users.describe_member();

-- Mailing an invitation is no change of the person.
create trigger members_set_updated_at
    before update on users.members
    for each row
    when (
        (old.first_name, old.last_name, old.email, old.roles, old.is_enabled, old.is_joined, old.subjects, old.source_id, old.deleted_at)
        is distinct from
        (new.first_name, new.last_name, new.email, new.roles, new.is_enabled, new.is_joined, new.subjects, new.source_id, new.deleted_at)
    )
    execute function public.set_updated_at();

alter table users.members enable row level security;
alter table users.members force row level security;

create policy owner_all on users.members to users_owner using (true) with check (true);
create policy service_all on users.members to users_service using (true) with check (true);

-- Only reading: what administrators do to people goes through the functions of the next migration, which look at several
-- tables at once. One policy: with a second one, each index would be read by the OR of both, and in no order. The token's
-- hash is the service's alone; xmin is the version of a row, which a grant by columns leaves out.
grant select (
    xmin, id, organization_id, user_id, first_name, last_name, email, roles, offered, is_enabled, is_joined, status, subjects, source_id,
    deleted_at, sort_key, search_text, email_key, word_1, word_2, word_3, word_4, word_5, created_at, updated_at
) on users.members to app_user;

create policy admin_select on users.members for select to app_user
    using (organization_id = (select auth.org() where auth.role() = 'admin'));

create function users.refresh_member(person uuid, organization uuid)
    returns void
    language plpgsql security definer
    set search_path = ''
as $$
declare
    held text[];
    is_let_in boolean;
    account record;
    profile record;
begin
    select array_agg(r.role::text order by r.created_at, r.role), bool_or(r.is_active)
    into held, is_let_in
    from users.user_roles r
    where r.user_id = person and r.organization_id = organization;
    select a.email, a.is_active, a.is_verified into account from auth.account(person) a;
    if account.email is null then
        return;
    end if;
    if held is null then
        -- Of who was only offered something the school's own words stay.
        delete from users.members m
        where m.user_id = person and m.organization_id = organization and m.offered = '{}';
        update users.members m
        set email = account.email
        where m.user_id = person and m.organization_id = organization and m.email <> account.email;
        return;
    end if;
    select p.first_name, p.last_name into profile from users.user_profiles p where p.user_id = person;
    loop
        update users.members m
        set first_name = coalesce(profile.first_name, m.first_name),
            last_name = coalesce(profile.last_name, m.last_name),
            email = account.email,
            roles = held,
            offered = '{}',
            is_enabled = is_let_in and account.is_active,
            is_joined = account.is_verified
        where m.user_id = person and m.organization_id = organization;
        exit when found;
        insert into users.members (organization_id, user_id, first_name, last_name, email, roles, is_enabled, is_joined)
        values (
            organization, person, coalesce(profile.first_name, split_part(account.email, '@', 1)),
            coalesce(profile.last_name, ''), account.email, held, is_let_in and account.is_active, account.is_verified
        )
        on conflict do nothing;
        exit when found;
        -- Somebody else has written it between the two.
    end loop;
end
$$;

comment on function users.refresh_member(uuid, uuid) is 'Writes the row of a person in a school again, from their roles, profile and account.';

create function users.refresh_memberships(person uuid)
    returns void
    language plpgsql security definer
    set search_path = ''
as $$
begin
    perform users.refresh_member(person, school.organization_id)
    from (
        select r.organization_id from users.user_roles r where r.user_id = person and r.organization_id is not null
        union
        select m.organization_id from users.members m where m.user_id = person
    ) as school;
end
$$;

comment on function users.refresh_memberships(uuid) is 'As refresh_member, in all schools of the person. For the triggers of profiles and accounts.';

create function users.follow_role()
    returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    if tg_op <> 'DELETE' then
        if new.organization_id is not null then
            perform users.refresh_member(new.user_id, new.organization_id);
        end if;
    elsif old.organization_id is not null then
        perform users.refresh_member(old.user_id, old.organization_id);
    end if;
    return null;
end
$$;

comment on function users.follow_role() is 'Trigger: has a school''s list follow a role that was given, suspended or taken away.';

create trigger user_roles_refresh_member
    after insert or update or delete on users.user_roles
    for each row
    execute function users.follow_role();

create function users.follow_profile()
    returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    perform users.refresh_memberships(new.user_id);
    return null;
end
$$;

comment on function users.follow_profile() is 'Trigger: has the lists of schools follow a person''s name.';

create trigger user_profiles_refresh_members
    after insert or update of first_name, last_name on users.user_profiles
    for each row
    execute function users.follow_profile();

-- Who is there already.
select count(users.refresh_member(known.user_id, known.organization_id))
from (
    select distinct r.user_id, r.organization_id from users.user_roles r where r.organization_id is not null
) as known;
