-- Plans in every state, the jobs that made them and the results of their students.
-- For development only. Ids say what they are: table, school and number stand in their first, second and last
-- group. Rows that exist are left alone, so what a developer has changed stays changed.

insert into plans.plans (id, title, description, teacher_id, subject_id, course_id, organization_id, status, difficulty_level, estimated_duration) values
    ('00000013-0001-4000-8000-000000000001', 'Refuerzo de fracciones', 'Fracciones equivalentes y suma', '00000001-0001-4000-8000-000000000011', '00000009-0000-4000-8000-000000000201', '00000010-0001-4000-8000-000000000001', '00000007-0001-4000-8000-000000000001', 'active', 'medium', 14),
    ('00000013-0001-4000-8000-000000000002', 'Introducción a los decimales', 'En preparación', '00000001-0001-4000-8000-000000000011', '00000009-0000-4000-8000-000000000201', '00000010-0001-4000-8000-000000000001', '00000007-0001-4000-8000-000000000001', 'draft', 'easy', 7),
    ('00000013-0001-4000-8000-000000000003', 'Comprensión de lectura', 'Idea principal e ideas secundarias', '00000001-0001-4000-8000-000000000012', '00000009-0000-4000-8000-000000000202', '00000010-0001-4000-8000-000000000002', '00000007-0001-4000-8000-000000000001', 'completed', 'medium', 10),
    ('00000013-0001-4000-8000-000000000004', 'Ecosistemas', 'Cadenas alimenticias', '00000001-0001-4000-8000-000000000013', '00000009-0000-4000-8000-000000000203', '00000010-0001-4000-8000-000000000002', '00000007-0001-4000-8000-000000000001', 'archived', 'hard', 21),
    ('00000013-0001-4000-8000-000000000005', 'Lectura en sexto', 'Comprensión de textos cortos', '00000001-0001-4000-8000-000000000012', '00000009-0000-4000-8000-000000000202', '00000010-0001-4000-8000-000000000001', '00000007-0001-4000-8000-000000000001', 'active', 'easy', 7),
    ('00000013-0002-4000-8000-000000000001', 'Números enteros', 'Suma y resta de enteros', '00000001-0002-4000-8000-000000000011', '00000009-0000-4000-8000-000000000201', '00000010-0002-4000-8000-000000000001', '00000007-0002-4000-8000-000000000001', 'active', 'medium', 14)
on conflict do nothing;

insert into plans.plan_jobs (id, plan_id, teacher_id, status, progress, result_data, error_message, started_at, completed_at) values
    ('00000014-0001-4000-8000-000000000001', '00000013-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000011', 'completed', 100, '{"summary": "Plan de tres pasos sobre fracciones"}', null, '2026-09-07 14:00:00+00', '2026-09-07 14:03:00+00'),
    ('00000014-0001-4000-8000-000000000002', null, '00000001-0001-4000-8000-000000000011', 'processing', 40, null, null, '2026-09-08 14:00:00+00', null),
    ('00000014-0001-4000-8000-000000000003', null, '00000001-0001-4000-8000-000000000012', 'pending', 0, null, null, null, null),
    ('00000014-0001-4000-8000-000000000004', null, '00000001-0001-4000-8000-000000000013', 'failed', 15, null, 'El archivo no se pudo leer', '2026-09-08 14:00:00+00', '2026-09-08 14:01:00+00'),
    ('00000014-0001-4000-8000-000000000005', '00000013-0001-4000-8000-000000000003', '00000001-0001-4000-8000-000000000012', 'cancelled', 60, null, null, '2026-09-07 14:00:00+00', '2026-09-07 14:02:00+00'),
    ('00000014-0002-4000-8000-000000000001', '00000013-0002-4000-8000-000000000001', '00000001-0002-4000-8000-000000000011', 'completed', 100, '{"summary": "Plan sobre números enteros"}', null, '2026-09-07 14:00:00+00', '2026-09-07 14:02:00+00')
on conflict do nothing;

-- Everybody addressed by a plan gets the same text here; in earnest each student's is made from their own exam.
with material (plan_id, plan_content, recommendations, exercises) as (values
    ('00000013-0001-4000-8000-000000000001', '# Plan de refuerzo: fracciones

## Lo que ya sabes
Reconoces numerador y denominador.

## Lo que vas a reforzar
1. Fracciones **equivalentes**
2. Suma con distinto denominador
3. Problemas de la vida diaria

> Avanza a tu ritmo: cada paso tiene un ejercicio.',
    '["Repasa las fracciones equivalentes antes de sumar", "Dibuja cada fracción en una barra", "Trabaja veinte minutos al día"]',
    '[
        {"id": "1", "title": "Fracciones equivalentes", "description": "Reconocer fracciones que valen lo mismo", "difficulty": "easy", "type": "multiple_choice", "content": "¿Cuál fracción es equivalente a 2/3?\na) 4/6\nb) 3/4\nc) 2/6", "solution": "a) 4/6"},
        {"id": "2", "title": "Suma con distinto denominador", "description": "Sumar fracciones", "difficulty": "medium", "type": "open_ended", "content": "Calcula 1/2 + 1/3 y explica los pasos.", "solution": "5/6"},
        {"id": "3", "title": "La receta", "description": "Aplicar fracciones a una situación", "difficulty": "hard", "type": "problem_solving", "content": "Una receta usa 3/4 de taza de leche para 4 personas. ¿Cuánta leche se necesita para 6?", "solution": "9/8 de taza"}
    ]'),
    ('00000013-0001-4000-8000-000000000003', '# Plan de refuerzo: comprensión de lectura

- Lee el texto completo **una vez** sin detenerte.
- Escribe de qué trata en una frase.',
    '["Lee en voz alta un párrafo al día", "Subraya la idea principal"]',
    '[
        {"id": "1", "title": "Idea principal", "description": "Distinguir idea principal y secundarias", "difficulty": "medium", "type": "open_ended", "content": "Lee el texto y escribe su idea principal en una frase."}
    ]'),
    ('00000013-0001-4000-8000-000000000005', '# Plan de refuerzo: comprensión de lectura

- Lee el texto completo **una vez** sin detenerte.
- Escribe de qué trata en una frase.',
    '["Lee en voz alta un párrafo al día", "Subraya la idea principal"]',
    '[
        {"id": "1", "title": "Idea principal", "description": "Distinguir idea principal y secundarias", "difficulty": "medium", "type": "open_ended", "content": "Lee el texto y escribe su idea principal en una frase."}
    ]')
), result (id, plan_id, student_id, status, score, completion_percentage, time_spent, feedback, completed_at) as (values
    ('00000015-0001-4000-8000-000000000001', '00000013-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000021', 'in_progress', null, 40, 35, null, null),
    ('00000015-0001-4000-8000-000000000002', '00000013-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000022', 'completed', 86.50, 100, 120, 'Muy buen trabajo con las fracciones equivalentes.', '2026-09-14 14:00:00+00'),
    ('00000015-0001-4000-8000-000000000003', '00000013-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000023', 'not_started', null, 0, null, null, null),
    ('00000015-0001-4000-8000-000000000004', '00000013-0001-4000-8000-000000000003', '00000001-0001-4000-8000-000000000025', 'completed', 72.00, 100, 95, 'Sigue leyendo a diario.', '2026-09-15 14:00:00+00'),
    ('00000015-0001-4000-8000-000000000005', '00000013-0001-4000-8000-000000000003', '00000001-0001-4000-8000-000000000026', 'in_progress', null, 50, 40, null, null),
    ('00000015-0001-4000-8000-000000000006', '00000013-0001-4000-8000-000000000004', '00000001-0001-4000-8000-000000000028', 'completed', 91.00, 100, 180, 'Excelente.', '2026-09-16 14:00:00+00'),
    ('00000015-0001-4000-8000-000000000007', '00000013-0001-4000-8000-000000000005', '00000001-0001-4000-8000-000000000021', 'not_started', null, 0, null, null, null),
    ('00000015-0001-4000-8000-000000000008', '00000013-0001-4000-8000-000000000005', '00000001-0001-4000-8000-000000000024', 'in_progress', null, 20, 10, null, null),
    ('00000015-0002-4000-8000-000000000001', '00000013-0002-4000-8000-000000000001', '00000001-0002-4000-8000-000000000021', 'in_progress', null, 30, 25, null, null)
)
insert into plans.plan_results
    (id, plan_id, student_id, status, score, completion_percentage, time_spent, feedback, completed_at,
     plan_content, recommendations, exercises)
select result.id::uuid, result.plan_id::uuid, result.student_id::uuid, result.status, result.score,
    result.completion_percentage, result.time_spent, result.feedback, result.completed_at::timestamptz,
    material.plan_content, coalesce(material.recommendations, '[]')::jsonb, coalesce(material.exercises, '[]')::jsonb
from result
left join material on material.plan_id = result.plan_id
on conflict do nothing;

insert into plans.plan_files (id, plan_id, file_id, file_type) values
    ('00000016-0001-4000-8000-000000000001', '00000013-0001-4000-8000-000000000001', '00000023-0001-4000-8000-000000000001', 'input'),
    ('00000016-0001-4000-8000-000000000002', '00000013-0001-4000-8000-000000000001', '00000023-0001-4000-8000-000000000002', 'output'),
    ('00000016-0001-4000-8000-000000000003', '00000013-0001-4000-8000-000000000003', '00000023-0001-4000-8000-000000000005', 'template'),
    ('00000016-0002-4000-8000-000000000001', '00000013-0002-4000-8000-000000000001', '00000023-0002-4000-8000-000000000001', 'input')
on conflict do nothing;
