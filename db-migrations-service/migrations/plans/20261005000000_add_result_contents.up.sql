-- A result carries what its student works on: the text of the plan, recommendations, exercises, and how far
-- it is. They stand in the result because each student's plan is made from that student's exam.
-- Existing rows get their status from what they already say.

alter table plans.plan_results
    add column status varchar(20) not null default 'not_started',
    add column plan_content text,
    add column recommendations jsonb not null default '[]',
    add column exercises jsonb not null default '[]',
    add constraint plan_results_status_check check (status in ('not_started', 'in_progress', 'completed')),
    add constraint plan_results_recommendations_check check (jsonb_typeof(recommendations) = 'array'),
    add constraint plan_results_exercises_check check (jsonb_typeof(exercises) = 'array');

comment on column plans.plan_results.status is 'How far the student is: not_started, in_progress or completed.';
comment on column plans.plan_results.plan_content is 'The plan as written for this student, Markdown.';
comment on column plans.plan_results.recommendations is 'Recommendations for this student: a JSON array of texts.';
comment on column plans.plan_results.exercises is 'Exercises for this student: a JSON array of objects with id, title, description, difficulty, type (multiple_choice, open_ended, problem_solving), content and, where there is one, solution.';

grant update (status, plan_content, recommendations, exercises) on plans.plan_results to app_user;

update plans.plan_results
set status = case when completed_at is not null then 'completed' else 'in_progress' end
where completed_at is not null
   or completion_percentage > 0;
