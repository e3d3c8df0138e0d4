-- Undoes let_the_platform_found_schools.

drop trigger organizations_end_sessions_when_suspended on organizations.organizations;
drop function organizations.end_sessions_of_suspended();
drop function organizations.set_active(uuid, boolean);
drop function organizations.found(text, text, text, text, text, text, text);
drop policy platform_select on organizations.organizations;
