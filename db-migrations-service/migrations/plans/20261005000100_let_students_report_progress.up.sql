-- A student says how far they are, and nothing else: not their score, nor what the teacher wrote. All
-- signed-in users share one database role, so column grants cannot tell a student from a teacher, and a
-- policy sees only one version of a row: a trigger compares both. It names what may change, so a column added
-- later is closed until somebody opens it.
-- The services' own roles are not held to it: one of them may grade an exercise while it serves a student.
-- requires: auth/20260901010000

create function plans.guard_student_progress()
    returns trigger
    language plpgsql
    set search_path = ''
as $$
declare
    open_columns constant text[] := array['status', 'completion_percentage', 'time_spent', 'completed_at', 'updated_at'];
begin
    if auth.role() = 'student'
       and (to_jsonb(new) - open_columns) is distinct from (to_jsonb(old) - open_columns)
    then
        raise exception using
            errcode = 'insufficient_privilege',
            message = 'a student may change only the progress of a result',
            hint = 'Columns a student may change: status, completion_percentage, time_spent, completed_at.';
    end if;
    return new;
end
$$;

comment on function plans.guard_student_progress() is 'Trigger function: keeps a student who updates a result to status, completion_percentage, time_spent and completed_at.';

create trigger plan_results_guard_student_progress
    before update on plans.plan_results
    for each row
    when (current_user = 'app_user')
    execute function plans.guard_student_progress();

create policy student_update on plans.plan_results for update to app_user
    using (
        student_id = (select auth.uid() where auth.role() = 'student')
        and plan_id = any ((select plans.my_assigned_plans() where auth.role() = 'student')::uuid[])
    )
    with check (
        student_id = (select auth.uid() where auth.role() = 'student')
        and plan_id = any ((select plans.my_assigned_plans() where auth.role() = 'student')::uuid[])
    );
