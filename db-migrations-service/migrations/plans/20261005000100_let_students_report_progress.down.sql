-- Undoes let_students_report_progress.

drop policy student_update on plans.plan_results;
drop trigger plan_results_guard_student_progress on plans.plan_results;
drop function plans.guard_student_progress();
