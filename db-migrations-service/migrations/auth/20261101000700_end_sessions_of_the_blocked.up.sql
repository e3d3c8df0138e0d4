-- Whoever is blocked is signed out, in the same transaction and whoever does it: by a trigger, so that no service can
-- forget. Memberships have the same in schema users, by end_sessions_of_membership().
-- requires: users/20260901030100

create function auth.end_sessions_of_blocked()
    returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    update auth.sessions set is_active = false where user_id = new.id and is_active;
    return null;
end
$$;

comment on function auth.end_sessions_of_blocked() is 'Trigger: ends all sessions of an account that may not sign in any more.';

create trigger users_end_sessions
    after update on auth.users
    for each row
    when (old.is_active and not new.is_active)
    execute function auth.end_sessions_of_blocked();

create function auth.end_sessions_of_membership(person uuid, organization uuid, held_role text)
    returns void
    language plpgsql security definer
    set search_path = ''
as $$
begin
    update auth.sessions
    set is_active = false
    where user_id = person
      and organization_id is not distinct from organization
      and role = held_role
      and is_active;
end
$$;

comment on function auth.end_sessions_of_membership(uuid, uuid, text) is 'Ends the sessions in which a person acts by a membership that was suspended or taken away. For schema users.';

-- What an administrator does to people of their school, each in the caller's own transaction. Who belongs to other schools too is
-- signed out of this one only, and keeps the account.
create function auth.set_account_active(person uuid, active boolean)
    returns boolean
    language plpgsql security definer
    set search_path = ''
as $$
begin
    update auth.users
    set is_active = active
    where id = person
      and id = any (users.my_managed_users())
      and id <> auth.uid();
    return found;
end
$$;

comment on function auth.set_account_active(uuid, boolean) is 'Blocks an account and ends its sessions, or opens it again: by the administrator of the only school that the person belongs to, never on oneself. False where the caller is not that.';
grant execute on function auth.set_account_active(uuid, boolean) to app_user;

create function auth.end_sessions(person uuid)
    returns integer
    language plpgsql security definer
    set search_path = ''
as $$
declare
    ended integer;
begin
    if not person = any (users.my_organization_users()) then
        return null;
    end if;
    update auth.sessions
    set is_active = false
    where user_id = person
      and is_active
      and expires_at > now() - interval '1 hour'
      and (organization_id = users.my_admin_organization() or person = any (users.my_managed_users()));
    get diagnostics ended = row_count;
    return ended;
end
$$;

comment on function auth.end_sessions(uuid) is 'Signs a person out, by an administrator of their school: everywhere, or, where the person belongs to others too, in this one. How many sessions ended; NULL where the person is not of the school.';
grant execute on function auth.end_sessions(uuid) to app_user;
