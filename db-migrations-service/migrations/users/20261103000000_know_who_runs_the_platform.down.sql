-- Undoes know_who_runs_the_platform.

drop function users.appoint_founder(uuid);
drop function users.am_platform_admin();
