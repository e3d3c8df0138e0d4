-- Files of the two schools: rows only, no object stands behind them.
-- For development only. Ids say what they are: table, school and number stand in their first, second and last
-- group. Rows that exist are left alone, so what a developer has changed stays changed.

insert into files.files (id, filename, original_filename, file_path, file_size, mime_type, uploaded_by, organization_id, is_public) values
    ('00000023-0001-4000-8000-000000000001', 'examen-fracciones-6a.pdf', 'examen-fracciones-6a.pdf', 'escuela-ejemplo/0001', 482133, 'application/pdf', '00000001-0001-4000-8000-000000000011', '00000007-0001-4000-8000-000000000001', false),
    ('00000023-0001-4000-8000-000000000002', 'guia-fracciones.md', 'guia-fracciones.md', 'escuela-ejemplo/0002', 5120, 'text/markdown', '00000001-0001-4000-8000-000000000011', '00000007-0001-4000-8000-000000000001', false),
    ('00000023-0001-4000-8000-000000000003', 'manual-de-convivencia.pdf', 'manual-de-convivencia.pdf', 'escuela-ejemplo/0003', 901220, 'application/pdf', '00000001-0001-4000-8000-000000000001', '00000007-0001-4000-8000-000000000001', true),
    ('00000023-0001-4000-8000-000000000004', 'mi-ejercicio.jpg', 'mi-ejercicio.jpg', 'escuela-ejemplo/0004', 120400, 'image/jpeg', '00000001-0001-4000-8000-000000000021', '00000007-0001-4000-8000-000000000001', false),
    ('00000023-0001-4000-8000-000000000005', 'plantilla-de-plan.docx', 'plantilla-de-plan.docx', 'escuela-ejemplo/0005', 34100, 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', '00000001-0001-4000-8000-000000000012', '00000007-0001-4000-8000-000000000001', false),
    ('00000023-0001-4000-8000-000000000006', 'notas-personales.txt', 'notas-personales.txt', 'escuela-ejemplo/0006', 900, 'text/plain', '00000001-0001-4000-8000-000000000013', null, false),
    ('00000023-0002-4000-8000-000000000001', 'examen-enteros-6a.pdf', 'examen-enteros-6a.pdf', 'colegio-ejemplo/0001', 388400, 'application/pdf', '00000001-0002-4000-8000-000000000011', '00000007-0002-4000-8000-000000000001', false),
    ('00000023-0002-4000-8000-000000000002', 'reglamento.pdf', 'reglamento.pdf', 'colegio-ejemplo/0002', 700210, 'application/pdf', '00000001-0002-4000-8000-000000000001', '00000007-0002-4000-8000-000000000001', true)
on conflict do nothing;

insert into files.file_metadata (id, file_id, metadata_key, metadata_value) values
    ('00000024-0001-4000-8000-000000000001', '00000023-0001-4000-8000-000000000001', 'pages', '4'),
    ('00000024-0001-4000-8000-000000000002', '00000023-0001-4000-8000-000000000001', 'processing', 'completed'),
    ('00000024-0001-4000-8000-000000000003', '00000023-0001-4000-8000-000000000002', 'language', 'es'),
    ('00000024-0001-4000-8000-000000000004', '00000023-0001-4000-8000-000000000003', 'pages', '32'),
    ('00000024-0001-4000-8000-000000000005', '00000023-0001-4000-8000-000000000004', 'width', '1280'),
    ('00000024-0001-4000-8000-000000000006', '00000023-0001-4000-8000-000000000005', 'language', 'es'),
    ('00000024-0002-4000-8000-000000000001', '00000023-0002-4000-8000-000000000001', 'pages', '3')
on conflict do nothing;

-- All students of the school may read the guide; the first teacher may change the template of the second, who
-- may delete the exam of the first; the student shares the photograph with the first teacher.
insert into files.file_permissions (id, file_id, user_id, role, permission_type) values
    ('00000025-0001-4000-8000-000000000001', '00000023-0001-4000-8000-000000000002', null, 'student', 'read'),
    ('00000025-0001-4000-8000-000000000002', '00000023-0001-4000-8000-000000000005', '00000001-0001-4000-8000-000000000011', null, 'write'),
    ('00000025-0001-4000-8000-000000000003', '00000023-0001-4000-8000-000000000004', '00000001-0001-4000-8000-000000000011', null, 'read'),
    ('00000025-0001-4000-8000-000000000004', '00000023-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000012', null, 'delete'),
    ('00000025-0002-4000-8000-000000000001', '00000023-0002-4000-8000-000000000001', null, 'teacher', 'read')
on conflict do nothing;
