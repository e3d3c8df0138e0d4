-- Undoes end_sessions_of_a_school.

drop index auth.sessions_organization_id_idx;
drop function auth.end_sessions_of_organization(uuid);
