-- Undoes create_academic_metrics.

drop table analytics.academic_metrics;
