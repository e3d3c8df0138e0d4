-- Undoes create_plan_metrics.

drop table analytics.plan_metrics;
