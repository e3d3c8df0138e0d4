-- Every table that can change tells when it last did. One trigger function for the whole platform, so that no
-- service has to remember and none can forge it.
-- Its triggers carry WHEN (old.* is distinct from new.*): writing the same values again, as a repeated seed
-- does, is no change.

create function public.set_updated_at()
    returns trigger
    language plpgsql
    set search_path = ''
as $$
begin
    new.updated_at := now();
    return new;
end
$$;

comment on function public.set_updated_at() is 'Trigger function: stamps updated_at of a row that changes. Attach it BEFORE UPDATE, WHEN (old.* is distinct from new.*).';
