-- Undoes address_plans_to_enrolled_students_only.

alter policy teacher_insert on plans.plan_results
    with check (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));

alter policy admin_insert on plans.plan_results
    with check (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]));
