-- Undoes create_plans.

drop table plans.plans;
revoke usage on schema plans from app_user;
