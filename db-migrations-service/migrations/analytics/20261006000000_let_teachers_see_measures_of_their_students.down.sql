-- Undoes let_teachers_see_measures_of_their_students.

drop policy teacher_select on analytics.user_metrics;
