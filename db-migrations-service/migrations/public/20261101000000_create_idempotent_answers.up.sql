-- Requests that were done once. A POST with an Idempotency-Key leaves its answer here in the transaction of what it did, so
-- that the same request, sent again because its answer was lost, is answered and not done again. Services share the table
-- because a caller's keys are the caller's, wherever they are sent.
-- Answers hold what callers were told, so they are the caller's alone and go after a day.
-- The claims are read as in auth.uid(), which comes after this schema.

create table public.idempotent_answers (
    user_id uuid not null,
    key varchar(255) not null,
    request_hash bytea not null,
    status smallint,
    location text,
    body text,
    created_at timestamptz not null default now(),
    constraint idempotent_answers_pkey primary key (user_id, key),
    constraint idempotent_answers_request_hash_check check (octet_length(request_hash) = 32),
    constraint idempotent_answers_status_check check (status between 100 and 599)
);

comment on table public.idempotent_answers is 'Answers to requests with an Idempotency-Key, kept for a day.';
comment on column public.idempotent_answers.user_id is 'Whose request it was.';
comment on column public.idempotent_answers.key is 'The key that the client gave it.';
comment on column public.idempotent_answers.request_hash is 'SHA-256 of method, path and body: the same key with another request is refused.';
comment on column public.idempotent_answers.status is 'HTTP status of the answer; NULL is seen by nobody but the transaction that makes it.';
comment on column public.idempotent_answers.location is 'Location of what was made, where there is one.';
comment on column public.idempotent_answers.body is 'The answer, JSON.';
comment on column public.idempotent_answers.created_at is 'When the request was done (UTC).';

create index idempotent_answers_created_at_idx on public.idempotent_answers (created_at);

comment on index public.idempotent_answers_pkey is 'Finds the answer to a request; keeps two from being done under one key.';
comment on index public.idempotent_answers_created_at_idx is 'Sweeps answers that are a day old.';

alter table public.idempotent_answers enable row level security;
alter table public.idempotent_answers force row level security;

create policy owner_all on public.idempotent_answers to platform_owner using (true) with check (true);
create policy service_all on public.idempotent_answers to platform_service using (true) with check (true);

grant select, insert, update on public.idempotent_answers to app_user;

create policy self_select on public.idempotent_answers for select to app_user
    using (user_id = (select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid));

create policy self_insert on public.idempotent_answers for insert to app_user
    with check (user_id = (select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid));

create policy self_update on public.idempotent_answers for update to app_user
    using (user_id = (select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid))
    with check (user_id = (select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid));

-- Each copy of each service calls it now and then. It takes away what is nobody's any more, and tells nothing.
create function public.sweep_idempotent_answers()
    returns void
    language plpgsql volatile security definer
    set search_path = ''
as $$
begin
    delete from public.idempotent_answers
    where ctid in (
        select a.ctid from public.idempotent_answers a
        where a.created_at < now() - interval '24 hours'
        limit 10000
        for update skip locked
    );
end
$$;

comment on function public.sweep_idempotent_answers() is 'Removes answers that are a day old, ten thousand at a time.';
grant execute on function public.sweep_idempotent_answers() to public;
