-- A school says in its setting self_registration, a list of roles, who may join by registering; everybody else waits for an
-- administrator. Administrators are never made that way. The setting is a school's own and not public, so other schemas are
-- told what follows from it.

create function organizations.admission(organization uuid)
    returns table (name text, is_active boolean, open_roles text[])
    language plpgsql stable security definer parallel safe
    set search_path = ''
as $$
begin
    return query
        select o.name::text, o.is_active, array(
            select role.value
            from organizations.organization_configs c, jsonb_array_elements_text(
                case when jsonb_typeof(c.config_value) = 'array' then c.config_value else '[]' end
            ) as role (value)
            where c.organization_id = o.id
              and c.config_key = 'self_registration'
              and role.value in ('teacher', 'student', 'parent')
        )
        from organizations.organizations o
        where o.id = organization;
end
$$;

comment on function organizations.admission(uuid) is 'Of a school: its name, whether it is active, and as what people join by registering alone. For other schemas; signed-in users may not call it.';
