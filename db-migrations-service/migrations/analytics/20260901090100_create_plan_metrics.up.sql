-- Measures of plans, for the teacher who owns the plan and the admins of its school.

create table analytics.plan_metrics (
    id uuid not null default gen_random_uuid(),
    plan_id uuid not null,
    metric_type varchar(50) not null,
    metric_value numeric(10,2) not null,
    metric_data jsonb not null default '{}',
    recorded_at timestamptz not null default now(),
    constraint plan_metrics_pkey primary key (id),
    constraint plan_metrics_plan_id_fkey foreign key (plan_id) references plans.plans (id) on delete cascade
);

comment on table analytics.plan_metrics is 'Measures of plans, one row per measure and time.';
comment on column analytics.plan_metrics.id is 'Primary key, random: it tells nothing and is guessed by nobody.';
comment on column analytics.plan_metrics.plan_id is 'Plan that was measured.';
comment on column analytics.plan_metrics.metric_type is 'What was measured, e.g. completion_rate, average_score, time_spent.';
comment on column analytics.plan_metrics.metric_value is 'The measure.';
comment on column analytics.plan_metrics.metric_data is 'What it was derived from.';
comment on column analytics.plan_metrics.recorded_at is 'When it was measured (UTC).';

create index plan_metrics_plan_id_idx on analytics.plan_metrics (plan_id, recorded_at desc);

comment on index analytics.plan_metrics_pkey is 'Reads, changes and deletes one row by id; the key other tables point at.';
comment on index analytics.plan_metrics_plan_id_idx is 'Charts the measures of a plan over time; filters every policy; cascades from plans.';

alter table analytics.plan_metrics enable row level security;
alter table analytics.plan_metrics force row level security;

create policy owner_all on analytics.plan_metrics to analytics_owner using (true) with check (true);
create policy service_all on analytics.plan_metrics to analytics_service using (true) with check (true);

grant select on analytics.plan_metrics to app_user;

create policy teacher_select on analytics.plan_metrics for select to app_user
    using (plan_id = any ((select plans.my_plans() where auth.role() = 'teacher')::uuid[]));

create policy admin_select on analytics.plan_metrics for select to app_user
    using (plan_id = any ((select plans.my_organization_plans() where auth.role() = 'admin')::uuid[]));
