-- A result opens its plan to the student it names, and the student's answers to the teacher. A teacher may
-- name only students of their own courses, an admin only students enrolled in the school: the subquery runs
-- under the policies of enrolments, so it finds just those.

alter policy teacher_insert on plans.plan_results
    with check (
        plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[])
        and (
            student_id is null
            or exists (
                select from academic.enrolments e
                where e.student_id = plan_results.student_id
                  and e.is_active
            )
        )
    );

alter policy admin_insert on plans.plan_results
    with check (
        plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[])
        and (
            student_id is null
            or exists (
                select from academic.enrolments e
                where e.student_id = plan_results.student_id
                  and e.is_active
            )
        )
    );
