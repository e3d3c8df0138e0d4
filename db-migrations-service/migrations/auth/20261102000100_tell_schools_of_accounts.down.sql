-- Undoes tell_schools_of_accounts.

drop trigger users_tell_schools on auth.users;
drop function auth.tell_schools();
