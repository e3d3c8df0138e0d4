-- Undoes let_teachers_see_their_students.

drop policy teacher_select on users.user_profiles;
