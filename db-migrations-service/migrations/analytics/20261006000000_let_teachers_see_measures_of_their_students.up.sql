-- Teachers follow how the students of their courses take part. Those of colleagues and of other courses stay
-- closed.

create policy teacher_select on analytics.user_metrics for select to app_user
    using (user_id = any ((select academic.my_students() where auth.role() = 'teacher')::uuid[]));
