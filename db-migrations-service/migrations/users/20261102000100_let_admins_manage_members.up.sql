-- What an administrator does to the people of their school, each a function that looks the caller up (my_admin_organization), for
-- it concerns accounts, roles and the school's list together. One lock for each school puts its administrators in a row: of two
-- who remove each other at once the second is no administrator any more when their turn comes. As nobody acts on
-- themselves, a school never loses its last one.
-- Outcomes are words; NULL and errors are for what must not happen.
-- requires: auth/20261102000000
-- requires: auth/20261101000700

create function users.lead_school()
    returns uuid
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.my_admin_organization();
begin
    if school is not null then
        perform pg_advisory_xact_lock(hashtextextended('users.members ' || school, 0));
        -- Whoever had the turn before may have changed the answer.
        school := users.my_admin_organization();
    end if;
    if school is null then
        raise insufficient_privilege using message = 'only administrators manage people';
    end if;
    return school;
end
$$;

comment on function users.lead_school() is 'The school of the caller, who is its administrator now and has the turn among them until the transaction ends; refuses all others.';

create function users.belongs_elsewhere(person uuid, school uuid)
    returns boolean
    language plpgsql stable security definer
    set search_path = ''
as $$
begin
    return exists (select from users.user_roles r where r.user_id = person and r.organization_id is distinct from school);
end
$$;

comment on function users.belongs_elsewhere(uuid, uuid) is 'Whether a person has a role in another school, or in none: then their name is not this school''s to write, nor a role to be given without asking.';

create function users.admit_people(people jsonb, is_upsert boolean)
    returns table (line integer, person uuid, outcome text)
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
    given jsonb;
    known record;
    wanted text[];
begin
    for given in select entry.value from jsonb_array_elements(people) as entry (value) loop
        line := (given ->> 'line')::integer;
        wanted := array(select role.value from jsonb_array_elements_text(given -> 'roles') as role (value));
        select m.user_id, m.email_key, m.deleted_at, m.is_joined into known
        from users.members m
        where m.organization_id = school
          and (m.source_id = given ->> 'sourceId' or m.email_key = lower(given ->> 'email'))
        order by m.source_id = given ->> 'sourceId' desc nulls last
        limit 1;
        person := known.user_id;
        if person is not null and not is_upsert then
            outcome := 'exists';
            return next;
            continue;
        elsif person is not null and known.email_key <> lower(given ->> 'email') then
            outcome := 'other_address';
            return next;
            continue;
        elsif known.deleted_at is not null then
            outcome := 'removed';
            return next;
            continue;
        elsif person is not null then
            outcome := 'updated';
        else
            outcome := 'created';
            person := auth.open_account(given ->> 'email');
        end if;
        if person <> auth.uid() then
            perform users.write_names(school, person, given);
            perform users.hold_roles(school, person, wanted, given);
            if is_upsert and given ? 'isEnabled' then
                perform users.let_in(school, person, (given ->> 'isEnabled')::boolean);
            end if;
        end if;
        update users.members m
        set source_id = coalesce(given ->> 'sourceId', m.source_id),
            subjects = case when given ? 'subjects'
                then array(select subject.value from jsonb_array_elements_text(given -> 'subjects') as subject (value))
                else m.subjects end,
            letter_due_at = case when (given ->> 'invite')::boolean and not m.is_joined then now() else m.letter_due_at end,
            letter_attempts = 0
        where m.organization_id = school and m.user_id = person;
        return next;
    end loop;
end
$$;

comment on function users.admit_people(jsonb, boolean) is 'Adds people to the school of the caller, by address: with an account where they have none, at once where they belong to no other school, otherwise when they accept. Known ones are left alone (exists) or written again (updated); removed where the school has removed them; other_address where the register number is somebody''s with another address.';
grant execute on function users.admit_people(jsonb, boolean) to app_user;

create function users.write_names(school uuid, person uuid, given jsonb)
    returns boolean
    language plpgsql security definer
    set search_path = ''
as $$
begin
    if school is distinct from users.my_admin_organization() then
        raise insufficient_privilege using message = 'only administrators manage people';
    end if;
    if users.belongs_elsewhere(person, school) then
        update users.members m
        set first_name = given ->> 'firstName', last_name = given ->> 'lastName'
        where m.organization_id = school and m.user_id = person and m.offered <> '{}';
        return found;
    end if;
    insert into users.user_profiles as p (user_id, first_name, last_name, phone)
    values (person, given ->> 'firstName', given ->> 'lastName', given ->> 'phone')
    on conflict (user_id) do update
        set first_name = excluded.first_name,
            last_name = excluded.last_name,
            phone = case when given ? 'phone' then excluded.phone else p.phone end;
    return true;
end
$$;

comment on function users.write_names(uuid, uuid, jsonb) is 'Writes name and telephone of somebody of the school: in their profile, or, of who has not accepted yet, in the list. False where they are the person''s own.';

create function users.hold_roles(school uuid, person uuid, wanted text[], given jsonb)
    returns void
    language plpgsql security definer
    set search_path = ''
as $$
begin
    if school is distinct from users.my_admin_organization() then
        raise insufficient_privilege using message = 'only administrators manage people';
    end if;
    -- Whoever has a role here has accepted this school before.
    if users.belongs_elsewhere(person, school)
        and not exists (select from users.user_roles r where r.user_id = person and r.organization_id = school)
    then
        insert into users.members as m (organization_id, user_id, first_name, last_name, email, roles, offered)
        select school, person, given ->> 'firstName', given ->> 'lastName', account.email, wanted, wanted
        from auth.account(person) account
        on conflict (user_id, organization_id) do update
            set offered = array(select distinct role from unnest(m.offered || wanted) role order by role),
                roles = array(select distinct role from unnest(m.offered || wanted) role order by role);
        return;
    end if;
    insert into users.user_roles (user_id, role, organization_id)
    select person, role, school from unnest(wanted) role
    on conflict (user_id, role, coalesce(organization_id, '00000000-0000-0000-0000-000000000000')) do nothing;
end
$$;

comment on function users.hold_roles(uuid, uuid, text[], jsonb) is 'Gives roles in the school, or offers them to who belongs to another one and has none here.';

create function users.let_in(school uuid, person uuid, enabled boolean)
    returns void
    language plpgsql security definer
    set search_path = ''
as $$
begin
    if school is distinct from users.my_admin_organization() or person = auth.uid() then
        raise insufficient_privilege using message = 'only administrators manage people, and not themselves';
    end if;
    update users.user_roles r
    set is_active = enabled
    where r.user_id = person and r.organization_id = school and r.is_active <> enabled;
    update users.members m
    set is_enabled = enabled
    where m.organization_id = school and m.user_id = person and m.offered <> '{}';
    -- An account that is this school's alone is closed with its roles, so that nobody signs in to nowhere.
    perform auth.set_account_active(person, enabled);
end
$$;

comment on function users.let_in(uuid, uuid, boolean) is 'Lets somebody of the school in, or keeps them out.';

create function users.set_member_enabled(person uuid, enabled boolean)
    returns text
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
begin
    if not exists (
        select from users.members m where m.organization_id = school and m.user_id = person and m.deleted_at is null
    ) then
        return 'no_such';
    elsif person = auth.uid() then
        return 'self';
    end if;
    perform users.let_in(school, person, enabled);
    return 'done';
end
$$;

comment on function users.set_member_enabled(uuid, boolean) is 'Suspends a person in the school of the caller, which ends their sessions there, or lets them in again: done, no_such or self.';
grant execute on function users.set_member_enabled(uuid, boolean) to app_user;

create function users.remove_member(person uuid)
    returns text
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
begin
    if not exists (
        select from users.members m where m.organization_id = school and m.user_id = person and m.deleted_at is null
    ) then
        return 'no_such';
    elsif person = auth.uid() then
        return 'self';
    end if;
    update users.members m
    set deleted_at = now(),
        restores = array(
            select r.role::text from users.user_roles r
            where r.user_id = person and r.organization_id = school and r.is_active
            order by r.role
        ),
        invitation_token = null,
        invitation_expires_at = null,
        letter_due_at = null
    where m.organization_id = school and m.user_id = person;
    perform users.let_in(school, person, false);
    return 'done';
end
$$;

comment on function users.remove_member(uuid) is 'Removes a person from the school of the caller, such that restore_member() can take it back: done, no_such or self.';
grant execute on function users.remove_member(uuid) to app_user;

create function users.restore_member(person uuid)
    returns text
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
    given_back text[];
begin
    update users.members m
    set deleted_at = null, is_enabled = m.is_enabled or m.offered <> '{}'
    where m.organization_id = school and m.user_id = person and m.deleted_at is not null
    returning m.restores into given_back;
    if not found then
        return 'no_such';
    end if;
    update users.user_roles r
    set is_active = true
    where r.user_id = person and r.organization_id = school and r.role = any (given_back) and not r.is_active;
    if given_back <> '{}' then
        perform auth.set_account_active(person, true);
    end if;
    return 'done';
end
$$;

comment on function users.restore_member(uuid) is 'Takes a removal back: roles that were active then are again. done, or no_such where nobody was removed.';
grant execute on function users.restore_member(uuid) to app_user;

create function users.offered_role_id(person uuid, school uuid, offered_role text)
    returns uuid
    language sql immutable parallel safe
as $$
    select md5(person::text || school::text || offered_role)::uuid
$$;

comment on function users.offered_role_id(uuid, uuid, text) is 'By which a role is named that is only offered.';
grant execute on function users.offered_role_id(uuid, uuid, text) to app_user;

create function users.give_role(person uuid, wanted_role text)
    returns table (id uuid, outcome text)
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
    here users.members;
begin
    select m.* into here
    from users.members m
    where m.organization_id = school and m.user_id = person and m.deleted_at is null;
    outcome := case
        when here.user_id is null then 'no_such'
        when person = auth.uid() then 'self'
        when wanted_role = any (here.roles) then 'exists'
        else 'done'
    end;
    if outcome = 'done' then
        perform users.hold_roles(
            school, person, array[wanted_role], jsonb_build_object('firstName', here.first_name, 'lastName', here.last_name)
        );
    end if;
    select r.id into id
    from users.user_roles r
    where r.user_id = person and r.organization_id = school and r.role = wanted_role;
    id := coalesce(id, users.offered_role_id(person, school, wanted_role));
    return next;
end
$$;

comment on function users.give_role(uuid, text) is 'Gives a person of the caller''s school a role more, or offers it: its id, and done, no_such, self or exists.';
grant execute on function users.give_role(uuid, text) to app_user;

create function users.take_role(person uuid, role_id uuid)
    returns text
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
    left_over text[];
begin
    if person = auth.uid() then
        return 'self';
    end if;
    delete from users.user_roles r where r.id = role_id and r.user_id = person and r.organization_id = school;
    if found then
        return 'done';
    end if;
    select array(
        select role from unnest(m.offered) role
        where users.offered_role_id(person, school, role) <> role_id
    )
    into left_over
    from users.members m
    where m.organization_id = school and m.user_id = person and m.offered <> '{}';
    if left_over is null then
        return 'no_such';
    elsif left_over = '{}' then
        delete from users.members m where m.organization_id = school and m.user_id = person and cardinality(m.offered) = 1;
        return case when found then 'done' else 'no_such' end;
    end if;
    update users.members m
    set offered = left_over, roles = left_over
    where m.organization_id = school and m.user_id = person and m.offered <> left_over;
    return case when found then 'done' else 'no_such' end;
end
$$;

comment on function users.take_role(uuid, uuid) is 'Takes a role, or an offer, from a person of the caller''s school, which ends the sessions that rest on it; with the last one they leave the list. done, no_such or self.';
grant execute on function users.take_role(uuid, uuid) to app_user;

create function users.write_member(person uuid, given jsonb, versions text[])
    returns text
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
    is_version boolean;
begin
    select versions is null or m.xmin::text = any (versions) into is_version
    from users.members m
    where m.organization_id = school and m.user_id = person and m.deleted_at is null;
    if is_version is null then
        return 'no_such';
    elsif not is_version then
        return 'changed';
    end if;
    update users.members m
    set source_id = case when given ? 'sourceId' then given ->> 'sourceId' else m.source_id end,
        subjects = case when given ? 'subjects'
            then array(select subject.value from jsonb_array_elements_text(given -> 'subjects') as subject (value))
            else m.subjects end
    where m.organization_id = school and m.user_id = person and (given ? 'sourceId' or given ? 'subjects');
    return case when users.write_names(school, person, given) then 'done' else 'not_ours' end;
end
$$;

comment on function users.write_member(uuid, jsonb, text[]) is 'Writes name, telephone, register number and subjects of somebody of the caller''s school, where the row has one of these versions: done, no_such, changed, or not_ours where the name is the person''s own to change.';
grant execute on function users.write_member(uuid, jsonb, text[]) to app_user;

create function users.call_again(person uuid)
    returns text
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
begin
    update users.members m
    set letter_due_at = now(), letter_attempts = 0
    where m.organization_id = school and m.user_id = person and m.status = 'invited';
    return case when found then 'done' else 'no_such' end;
end
$$;

comment on function users.call_again(uuid) is 'Has the invitation of somebody who has not joined mailed again: done or no_such.';
grant execute on function users.call_again(uuid) to app_user;

create function users.withdraw_invitation(person uuid)
    returns text
    language plpgsql security definer
    set search_path = ''
as $$
declare
    school uuid := users.lead_school();
begin
    if not exists (
        select from users.members m where m.organization_id = school and m.user_id = person and m.status = 'invited'
    ) then
        return 'no_such';
    end if;
    delete from users.user_roles r where r.user_id = person and r.organization_id = school;
    delete from users.members m where m.organization_id = school and m.user_id = person;
    return 'done';
end
$$;

comment on function users.withdraw_invitation(uuid) is 'Takes back what was offered to somebody who has not joined: they leave the list, and their link is void. done or no_such.';
grant execute on function users.withdraw_invitation(uuid) to app_user;

create function users.accept_invitation(token_hash text, reset_hash text)
    returns table (address text, school uuid, must_choose_password boolean)
    language plpgsql security definer
    set search_path = ''
as $$
declare
    accepted users.members;
    is_verified boolean;
begin
    if not pg_has_role(session_user, 'users_service', 'member') then
        raise insufficient_privilege using message = 'only the user service may call this';
    end if;
    update users.members m
    set invitation_token = null, invitation_expires_at = null, letter_due_at = null
    where m.invitation_token = token_hash
      and m.invitation_expires_at > now()
      and m.deleted_at is null
      and m.is_enabled
    returning m.* into accepted;
    if accepted.user_id is null then
        return;
    end if;
    insert into users.user_profiles (user_id, first_name, last_name)
    values (accepted.user_id, accepted.first_name, accepted.last_name)
    on conflict (user_id) do nothing;
    insert into users.user_roles (user_id, role, organization_id)
    select accepted.user_id, role, accepted.organization_id from unnest(accepted.offered) role
    on conflict (user_id, role, coalesce(organization_id, '00000000-0000-0000-0000-000000000000')) do nothing;
    select a.is_verified into is_verified from auth.account(accepted.user_id) a;
    if not is_verified then
        perform auth.begin_reset(accepted.user_id, reset_hash);
    end if;
    address := accepted.email;
    school := accepted.organization_id;
    must_choose_password := not is_verified;
    return next;
end
$$;

comment on function users.accept_invitation(text, text) is 'Uses an invitation up: gives what was offered, and, where the account has no password yet, lets the holder choose one by a second token. No row where the token is not good. For the user service alone.';
