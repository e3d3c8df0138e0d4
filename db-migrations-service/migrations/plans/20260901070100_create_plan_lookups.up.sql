-- Which plans the caller reaches as teacher and as admin. The tables that hang from plans carry no
-- organization of their own: their policies compare plan_id with these arrays, which their indexes can serve.

create function plans.my_plans()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select p.id
        from plans.plans p
        where p.teacher_id = auth.uid()
          and p.organization_id = auth.org()
          and auth.role() = 'teacher'
    );
end
$$;

comment on function plans.my_plans() is 'Plans the caller owns in the organization of the claims; empty for all but teachers.';
grant execute on function plans.my_plans() to app_user;

create function plans.my_organization_plans()
    returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return array(
        select p.id
        from plans.plans p
        where p.organization_id = auth.org()
          and auth.role() = 'admin'
    );
end
$$;

comment on function plans.my_organization_plans() is 'All plans of the organization of the claims, for its admins; empty for others.';
grant execute on function plans.my_organization_plans() to app_user;
