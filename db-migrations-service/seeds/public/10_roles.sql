-- The roles of the platform, in every environment. Running it again writes only what differs.

insert into public.roles (name, description) values
    ('admin', 'Administra una institución: personas, cursos, materias y configuración'),
    ('teacher', 'Docente: crea planes de refuerzo y sigue los resultados de sus cursos'),
    ('student', 'Estudiante: trabaja en los planes que le asignan'),
    ('parent', 'Acudiente: acompaña los planes y resultados de sus estudiantes')
on conflict (name) do update
    set description = excluded.description
    where roles.description is distinct from excluded.description;
