-- Measures of people. In all three tables of this schema rows are facts: the analytics service records them
-- in its own role, and nobody else writes. recorded_at stands in place of created_at and updated_at.

grant usage on schema analytics to app_user;

create table analytics.user_metrics (
    id uuid not null default gen_random_uuid(),
    user_id uuid not null,
    metric_type varchar(50) not null,
    metric_value numeric(10,2) not null,
    metric_data jsonb not null default '{}',
    recorded_at timestamptz not null default now(),
    constraint user_metrics_pkey primary key (id),
    constraint user_metrics_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

comment on table analytics.user_metrics is 'Measures of people, one row per measure and time.';
comment on column analytics.user_metrics.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column analytics.user_metrics.user_id is 'Who was measured.';
comment on column analytics.user_metrics.metric_type is 'What was measured, e.g. login_count, session_duration, activity_score.';
comment on column analytics.user_metrics.metric_value is 'The measure.';
comment on column analytics.user_metrics.metric_data is 'What it was derived from.';
comment on column analytics.user_metrics.recorded_at is 'When it was measured (UTC).';

create index user_metrics_user_id_idx on analytics.user_metrics (user_id, recorded_at desc);
create index user_metrics_recorded_at_idx on analytics.user_metrics (recorded_at);

comment on index analytics.user_metrics_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index analytics.user_metrics_user_id_idx is 'Charts the measures of a user over time; filters every policy; cascades from auth.users.';
comment on index analytics.user_metrics_recorded_at_idx is 'Reports on a period and drops measures past their retention.';

alter table analytics.user_metrics enable row level security;
alter table analytics.user_metrics force row level security;

create policy owner_all on analytics.user_metrics to analytics_owner using (true) with check (true);
create policy service_all on analytics.user_metrics to analytics_service using (true) with check (true);

-- The measures of a person name no organization, so an admin sees them only of people who belong to no other.
grant select on analytics.user_metrics to app_user;

create policy self_select on analytics.user_metrics for select to app_user
    using (user_id = (select auth.uid()));

create policy admin_select on analytics.user_metrics for select to app_user
    using (user_id = any ((select users.my_managed_users() where auth.role() = 'admin')::uuid[]));
