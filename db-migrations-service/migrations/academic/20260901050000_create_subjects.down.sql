-- Undoes create_subjects.

drop table academic.subjects;
revoke usage on schema academic from app_user;
