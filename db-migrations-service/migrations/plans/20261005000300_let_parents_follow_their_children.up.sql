-- Parents read the plans addressed to their children, and of the results only their children's: a plan may be
-- addressed to a whole course.
-- requires: users/20261001000000

create function plans.my_children_plans()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select distinct r.plan_id
        from plans.plan_results r
        join plans.plans p on p.id = r.plan_id
        where r.student_id = any ((select users.my_children())::uuid[])
          and p.organization_id = auth.org()
    );
end
$$;

comment on function plans.my_children_plans() is 'Plans addressed to children of the caller in the organization of the claims; empty for all but parents.';
grant execute on function plans.my_children_plans() to app_user;

create policy parent_select on plans.plans for select to app_user
    using (id = any ((select plans.my_children_plans() where auth.role() = 'parent')::uuid[]));

create policy parent_select on plans.plan_results for select to app_user
    using (
        student_id = any ((select users.my_children() where auth.role() = 'parent')::uuid[])
        and plan_id = any ((select plans.my_children_plans() where auth.role() = 'parent')::uuid[])
    );

create policy parent_select on plans.plan_files for select to app_user
    using (
        plan_id = any ((select plans.my_children_plans() where auth.role() = 'parent')::uuid[])
        and file_type = 'output'
    );
