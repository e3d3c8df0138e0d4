-- Undoes create_plan_jobs.

drop table plans.plan_jobs;
