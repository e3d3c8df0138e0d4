-- Undoes create_user_metrics.

drop table analytics.user_metrics;
revoke usage on schema analytics from app_user;
