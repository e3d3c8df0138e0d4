-- Answers that were given once, long ago: the next sweep removes them. For development only.
-- Ids say what they are: table, school and number stand in their first, second and last group.

insert into public.idempotent_answers (user_id, key, request_hash, status, body, created_at) values
    ('00000001-0001-4000-8000-000000000011', '00000034-0001-4000-8000-000000000011', sha256('1.11'), 201, '{}', '2026-09-01 12:00:00+00'),
    ('00000001-0001-4000-8000-000000000021', '00000034-0001-4000-8000-000000000021', sha256('1.21'), 201, '{}', '2026-09-01 12:00:00+00'),
    ('00000001-0002-4000-8000-000000000021', '00000034-0002-4000-8000-000000000021', sha256('2.21'), 201, '{}', '2026-09-01 12:00:00+00')
on conflict do nothing;
