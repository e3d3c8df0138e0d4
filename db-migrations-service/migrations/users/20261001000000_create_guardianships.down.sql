-- Undoes create_guardianships.

drop policy parent_select on users.user_profiles;
drop table users.guardianships;
drop function users.my_children();
