-- Accounts of two small schools, and of who runs the platform. Everybody signs in with the password profe-desarrollo.
-- For development only. Ids say what they are: table, school and number stand in their first, second and last
-- group. Rows that exist are left alone, so what a developer has changed stays changed.

insert into auth.users (id, email, password_hash, is_verified)
select account.id::uuid, account.email, '$argon2id$v=19$m=19456,t=2,p=1$ZJyvgKF2ns6kCZzmxByEuw$4IdgDuEtDMHrrSXGHMo8up+NW0YRosbZlwyZMcrZojA', true
from (values
    ('00000001-0000-4000-8000-000000000001', 'plataforma@profe.example'),
    ('00000001-0001-4000-8000-000000000001', 'admin@escuela.example'),
    ('00000001-0001-4000-8000-000000000011', 'docente1@escuela.example'),
    ('00000001-0001-4000-8000-000000000012', 'docente2@escuela.example'),
    ('00000001-0001-4000-8000-000000000013', 'docente3@escuela.example'),
    ('00000001-0001-4000-8000-000000000021', 'estudiante1@escuela.example'),
    ('00000001-0001-4000-8000-000000000022', 'estudiante2@escuela.example'),
    ('00000001-0001-4000-8000-000000000023', 'estudiante3@escuela.example'),
    ('00000001-0001-4000-8000-000000000024', 'estudiante4@escuela.example'),
    ('00000001-0001-4000-8000-000000000025', 'estudiante5@escuela.example'),
    ('00000001-0001-4000-8000-000000000026', 'estudiante6@escuela.example'),
    ('00000001-0001-4000-8000-000000000027', 'estudiante7@escuela.example'),
    ('00000001-0001-4000-8000-000000000028', 'estudiante8@escuela.example'),
    ('00000001-0001-4000-8000-000000000031', 'acudiente1@escuela.example'),
    ('00000001-0001-4000-8000-000000000032', 'acudiente2@escuela.example'),
    ('00000001-0001-4000-8000-000000000033', 'acudiente3@escuela.example'),
    ('00000001-0001-4000-8000-000000000034', 'acudiente4@escuela.example'),
    ('00000001-0002-4000-8000-000000000001', 'admin@colegio.example'),
    ('00000001-0002-4000-8000-000000000011', 'docente1@colegio.example'),
    ('00000001-0002-4000-8000-000000000021', 'estudiante1@colegio.example'),
    ('00000001-0002-4000-8000-000000000031', 'acudiente1@colegio.example')
) as account (id, email)
on conflict do nothing;

-- Sign-ins long expired. Their tokens are words, not hashes: nothing anybody could present hashes to them.
insert into auth.sessions (id, user_id, token, refresh_token, expires_at, is_active, created_at) values
    ('00000002-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000001', 'sin-token-1-1', 'sin-refresco-1-1', '2026-09-02 12:00:00+00', true, '2026-09-01 12:00:00+00'),
    ('00000002-0001-4000-8000-000000000011', '00000001-0001-4000-8000-000000000011', 'sin-token-1-11', 'sin-refresco-1-11', '2026-09-02 12:00:00+00', true, '2026-09-01 12:00:00+00'),
    ('00000002-0001-4000-8000-000000000021', '00000001-0001-4000-8000-000000000021', 'sin-token-1-21', 'sin-refresco-1-21', '2026-09-02 12:00:00+00', true, '2026-09-01 12:00:00+00'),
    ('00000002-0001-4000-8000-000000000031', '00000001-0001-4000-8000-000000000031', 'sin-token-1-31', 'sin-refresco-1-31', '2026-09-02 12:00:00+00', false, '2026-09-01 12:00:00+00'),
    ('00000002-0002-4000-8000-000000000001', '00000001-0002-4000-8000-000000000001', 'sin-token-2-1', 'sin-refresco-2-1', '2026-09-02 12:00:00+00', true, '2026-09-01 12:00:00+00'),
    ('00000002-0002-4000-8000-000000000021', '00000001-0002-4000-8000-000000000021', 'sin-token-2-21', 'sin-refresco-2-21', '2026-09-02 12:00:00+00', true, '2026-09-01 12:00:00+00')
on conflict do nothing;

insert into auth.password_resets (id, user_id, token, expires_at, used_at, created_at) values
    ('00000003-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000021', 'sin-token-1-21', '2026-09-01 12:10:00+00', '2026-09-01 12:04:00+00', '2026-09-01 12:00:00+00')
on conflict do nothing;

-- One of each of what a service keeps by itself, all of it long over: the next look removes it.
insert into auth.email_verifications (id, user_id, email, token, expires_at, used_at, created_at) values
    ('00000028-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000021', 'estudiante1@escuela.example', 'sin-token-1-21', '2026-09-01 12:00:00+00', '2026-08-31 12:04:00+00', '2026-08-31 12:00:00+00')
on conflict do nothing;

insert into auth.signing_keys (key_id, sealed, signs_from, published_until, created_at) values
    ('00000029-0001-4000-8000-000000000001', '\x00', '2026-08-01 12:00:00+00', '2026-09-01 12:00:00+00', '2026-08-01 12:00:00+00')
on conflict do nothing;

insert into auth.limits (key, full_until) values
    ('00000030-0001-4000-8000-000000000001', '2026-09-01 12:00:00+00')
on conflict do nothing;

-- Due when nobody is left to remember it, for somebody who is not there.
insert into auth.errands (id, kind, details, due_at, created_at) values
    ('00000031-0001-4000-8000-000000000001', 'verify', '{"email": "nadie@escuela.example"}', '2999-01-01 00:00:00+00', '2026-09-01 12:00:00+00')
on conflict do nothing;

insert into auth.sign_in_events (id, user_id, session_id, outcome, address, user_agent, created_at) values
    ('00000032-0001-4000-8000-000000000001', '00000001-0001-4000-8000-000000000001', '00000002-0001-4000-8000-000000000001', 'signed_in', '192.0.2.1', 'Navegador de ejemplo', '2026-09-01 12:00:00+00'),
    ('00000032-0001-4000-8000-000000000011', '00000001-0001-4000-8000-000000000011', '00000002-0001-4000-8000-000000000011', 'signed_in', '192.0.2.11', 'Navegador de ejemplo', '2026-09-01 12:00:00+00'),
    ('00000032-0001-4000-8000-000000000021', '00000001-0001-4000-8000-000000000021', '00000002-0001-4000-8000-000000000021', 'signed_in', '192.0.2.21', 'Navegador de ejemplo', '2026-09-01 12:00:00+00'),
    ('00000032-0001-4000-8000-000000000031', '00000001-0001-4000-8000-000000000031', null, 'wrong_password', '192.0.2.31', null, '2026-09-01 12:00:00+00'),
    ('00000032-0002-4000-8000-000000000001', '00000001-0002-4000-8000-000000000001', '00000002-0002-4000-8000-000000000001', 'signed_in', '198.51.100.1', 'Navegador de ejemplo', '2026-09-01 12:00:00+00'),
    ('00000032-0002-4000-8000-000000000021', '00000001-0002-4000-8000-000000000021', '00000002-0002-4000-8000-000000000021', 'signed_in', '198.51.100.21', 'Navegador de ejemplo', '2026-09-01 12:00:00+00')
on conflict do nothing;
