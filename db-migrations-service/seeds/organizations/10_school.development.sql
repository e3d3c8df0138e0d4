-- Two schools: one to work with, and a second to see that neither sees the other.
-- For development only. Ids say what they are: table, school and number stand in their first, second and last
-- group. Rows that exist are left alone, so what a developer has changed stays changed.

insert into organizations.organizations (id, name, description, website, email, phone, address) values
    ('00000007-0001-4000-8000-000000000001', 'Escuela de Ejemplo', 'Institución de demostración con primaria y secundaria', 'https://escuela.example', 'contacto@escuela.example', '+57 601 555 0100', 'Calle de Ejemplo 1, Bogotá'),
    ('00000007-0002-4000-8000-000000000001', 'Colegio de Ejemplo', 'Segunda institución de demostración', 'https://colegio.example', 'contacto@colegio.example', '+57 604 555 0200', 'Carrera de Ejemplo 2, Medellín')
on conflict do nothing;

insert into organizations.organization_configs (id, organization_id, config_key, config_value) values
    ('00000008-0001-4000-8000-000000000001', '00000007-0001-4000-8000-000000000001', 'academic_year', '"2026"'),
    ('00000008-0001-4000-8000-000000000002', '00000007-0001-4000-8000-000000000001', 'grading_scale', '{"min": 0, "max": 100, "passing": 60}'),
    ('00000008-0002-4000-8000-000000000001', '00000007-0002-4000-8000-000000000001', 'academic_year', '"2026"')
on conflict do nothing;
