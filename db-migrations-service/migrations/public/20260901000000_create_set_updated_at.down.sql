-- Undoes create_set_updated_at.

drop function public.set_updated_at();
