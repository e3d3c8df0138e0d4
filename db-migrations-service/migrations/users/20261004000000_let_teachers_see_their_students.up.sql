-- A result without a name is of no use to a teacher: they read the profiles of the students in their courses.
-- Those of colleagues, parents and other students stay closed.
-- It comes after enrolments, which schema academic builds upon memberships.

create policy teacher_select on users.user_profiles for select to app_user
    using (user_id = any ((select academic.my_students() where auth.role() = 'teacher')::uuid[]));
