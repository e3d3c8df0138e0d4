-- Undoes end_sessions_with_memberships.

drop trigger user_roles_end_sessions_when_deleted on users.user_roles;
drop trigger user_roles_end_sessions_when_suspended on users.user_roles;
drop function users.end_sessions_with_membership();
