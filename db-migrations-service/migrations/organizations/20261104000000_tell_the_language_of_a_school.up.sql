-- Letters to somebody who is invited are written before they could say in which language: then the school's counts. For schema
-- users, which has no way to the settings of schools.

create function organizations.language(organization uuid)
    returns text
    language sql stable security definer parallel safe
    set search_path = ''
as $$
    select c.config_value #>> '{}'
    from organizations.organization_configs c
    where c.organization_id = organization
      and c.config_key = 'language'
      and jsonb_typeof(c.config_value) = 'string'
$$;

comment on function organizations.language(uuid) is 'The language in which a school is written to, as its settings say; NULL where they say nothing. For other schemas; signed-in users may not call it.';
