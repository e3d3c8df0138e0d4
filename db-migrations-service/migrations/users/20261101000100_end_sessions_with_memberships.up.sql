-- A membership that is suspended or taken away ends the sessions in which its holder acts by it, in the same transaction
-- and whoever does it: otherwise they would go on until their access tokens are over.
-- requires: auth/20261101000700

create function users.end_sessions_with_membership()
    returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    perform auth.end_sessions_of_membership(old.user_id, old.organization_id, old.role);
    return null;
end
$$;

comment on function users.end_sessions_with_membership() is 'Trigger: ends the sessions that rest on a membership.';

create trigger user_roles_end_sessions_when_suspended
    after update on users.user_roles
    for each row
    when (old.is_active and not new.is_active)
    execute function users.end_sessions_with_membership();

create trigger user_roles_end_sessions_when_deleted
    after delete on users.user_roles
    for each row
    when (old.is_active)
    execute function users.end_sessions_with_membership();
