-- Nobody goes on acting for a school that was suspended.

create function auth.end_sessions_of_organization(organization uuid)
    returns void
    language plpgsql security definer
    set search_path = ''
as $$
begin
    update auth.sessions set is_active = false where organization_id = organization and is_active;
end
$$;

comment on function auth.end_sessions_of_organization(uuid) is 'Ends the sessions of all who signed in to a school. For schema organizations.';

create index sessions_organization_id_idx on auth.sessions (organization_id) where is_active;

comment on index auth.sessions_organization_id_idx is 'Ends the sessions of a school that is suspended.';
