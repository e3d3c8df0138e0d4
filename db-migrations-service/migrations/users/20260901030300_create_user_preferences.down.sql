-- Undoes create_user_preferences.

drop table users.user_preferences;
