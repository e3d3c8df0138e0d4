-- Conversations with the tutor.
-- For development only. Ids say what they are: table, school and number stand in their first, second and last
-- group. Rows that exist are left alone, so what a developer has changed stays changed.

insert into chat.chat_sessions (id, user_id, session_id, status, context_data) values
    ('00000017-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000011', 'desarrollo-docente1', 'active', '{"plan": "fracciones"}'),
    ('00000017-0001-4000-8000-000000000002', '00000001-0001-4000-8000-000000000021', 'desarrollo-estudiante1', 'active', '{}'),
    ('00000017-0001-4000-8000-000000000003', '00000001-0001-4000-8000-000000000031', 'desarrollo-acudiente1', 'closed', '{}'),
    ('00000017-0002-4000-8000-000000000001', '00000001-0002-4000-8000-000000000021', 'desarrollo-colegio-estudiante1', 'active', '{}')
on conflict do nothing;

insert into chat.chat_messages (id, session_id, role, content, created_at) values
    ('00000018-0001-4000-8000-000000000001', '00000017-0001-4000-8000-000000000001', 'system', 'Eres el tutor de la plataforma.', '2026-09-07 15:00:00+00'),
    ('00000018-0001-4000-8000-000000000002', '00000017-0001-4000-8000-000000000001', 'user', '¿Cómo explico las fracciones equivalentes?', '2026-09-07 15:01:00+00'),
    ('00000018-0001-4000-8000-000000000003', '00000017-0001-4000-8000-000000000001', 'assistant', 'Con dos barras del mismo tamaño partidas de distinta manera.', '2026-09-07 15:02:00+00'),
    ('00000018-0001-4000-8000-000000000004', '00000017-0001-4000-8000-000000000002', 'user', 'No entiendo este ejercicio.', '2026-09-08 15:00:00+00'),
    ('00000018-0001-4000-8000-000000000005', '00000017-0001-4000-8000-000000000002', 'assistant', 'Miremos juntos el denominador: ¿en cuántas partes está dividido?', '2026-09-08 15:01:00+00'),
    ('00000018-0001-4000-8000-000000000006', '00000017-0001-4000-8000-000000000003', 'user', '¿Cómo puedo acompañar el plan en casa?', '2026-09-09 15:00:00+00'),
    ('00000018-0002-4000-8000-000000000001', '00000017-0002-4000-8000-000000000001', 'user', '¿Qué es un número entero?', '2026-09-09 15:00:00+00')
on conflict do nothing;

insert into chat.chat_files (id, session_id, file_id, message_id) values
    ('00000019-0001-4000-8000-000000000001', '00000017-0001-4000-8000-000000000002', '00000023-0001-4000-8000-000000000004', '00000018-0001-4000-8000-000000000004')
on conflict do nothing;
