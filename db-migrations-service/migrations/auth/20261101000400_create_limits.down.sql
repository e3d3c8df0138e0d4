-- Undoes create_limits.

drop function auth.give_back(text, double precision);
drop function auth.admit(text, integer, double precision);
drop table auth.limits;
