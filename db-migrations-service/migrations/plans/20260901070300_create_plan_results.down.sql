-- Undoes create_plan_results.

drop policy student_select on plans.plans;
drop table plans.plan_results;
drop function plans.my_assigned_plans();
