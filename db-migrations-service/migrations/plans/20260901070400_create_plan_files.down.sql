-- Undoes create_plan_files.

drop table plans.plan_files;
