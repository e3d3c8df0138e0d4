-- Undoes create_user_profiles.

drop table users.user_profiles;
