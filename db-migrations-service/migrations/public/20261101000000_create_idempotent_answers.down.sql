-- Undoes create_idempotent_answers.

drop function public.sweep_idempotent_answers();
drop table public.idempotent_answers;
