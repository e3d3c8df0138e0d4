-- Undoes create_sign_in_events: what happened is forgotten.

drop table auth.sign_in_events;
