-- Undoes let_schools_open_registration.

drop function organizations.admission(uuid);
