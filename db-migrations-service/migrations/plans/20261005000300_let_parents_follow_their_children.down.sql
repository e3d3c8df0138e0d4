-- Undoes let_parents_follow_their_children.

drop policy parent_select on plans.plan_files;
drop policy parent_select on plans.plan_results;
drop policy parent_select on plans.plans;
drop function plans.my_children_plans();
