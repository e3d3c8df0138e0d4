-- A school's list shows the address of a person and whether they may sign in: it is written again when the account changes.
-- requires: users/20261102000000

create function auth.tell_schools()
    returns trigger
    language plpgsql security definer
    set search_path = ''
as $$
begin
    perform users.refresh_memberships(new.id);
    return null;
end
$$;

comment on function auth.tell_schools() is 'Trigger: has the lists of schools follow a changed account.';

create trigger users_tell_schools
    after update on auth.users
    for each row
    when ((old.email, old.is_active, old.is_verified) is distinct from (new.email, new.is_active, new.is_verified))
    execute function auth.tell_schools();
