-- Undoes create_plan_lookups.

drop function plans.my_organization_plans();
drop function plans.my_plans();
