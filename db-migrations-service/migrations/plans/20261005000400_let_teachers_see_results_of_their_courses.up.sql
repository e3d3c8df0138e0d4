-- Several teachers share a course. Each reads how its students do, also in plans of a colleague made for that
-- course; the plan itself stays its owner's.
-- requires: academic/20261002000000

create function plans.my_course_plans()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select p.id
        from plans.plans p
        where p.course_id = any ((select academic.my_taught_courses())::uuid[])
          and p.organization_id = auth.org()
    );
end
$$;

comment on function plans.my_course_plans() is 'Plans made for the courses the caller teaches, whoever owns them; empty for all but teachers.';
grant execute on function plans.my_course_plans() to app_user;

alter policy teacher_select on plans.plan_results
    using (
        plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[])
        or plan_id = any ((select plans.my_course_plans() where auth.role() = 'teacher')::uuid[])
            and student_id = any ((select academic.my_students() where auth.role() = 'teacher')::uuid[])
    );
