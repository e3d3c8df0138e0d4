-- Undoes let_teachers_see_results_of_their_courses.

alter policy teacher_select on plans.plan_results
    using (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));
drop function plans.my_course_plans();
