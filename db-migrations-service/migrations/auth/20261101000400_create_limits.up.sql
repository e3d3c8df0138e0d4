-- How often something may be tried, counted for all copies of the service together (GCRA: a bucket that leaks steadily is
-- one moment). The table is unlogged: a crash forgets who was limited, and nothing waits for the disk meanwhile.

create unlogged table auth.limits (
    key varchar(200) not null,
    full_until timestamptz not null,
    constraint limits_pkey primary key (key)
) with (fillfactor = 70);

comment on table auth.limits is 'Buckets of attempts, by what they are about and whom.';
comment on column auth.limits.key is 'What is limited and whom: a word, and the hash of an account or an address.';
comment on column auth.limits.full_until is 'When the bucket will have leaked empty (UTC); a moment that has passed means empty.';

comment on index auth.limits_pkey is 'Takes from one bucket.';

alter table auth.limits enable row level security;
alter table auth.limits force row level security;

create policy owner_all on auth.limits to auth_owner using (true) with check (true);
create policy service_all on auth.limits to auth_service using (true) with check (true);

create function auth.admit(bucket text, burst integer, every_s double precision)
    returns double precision
    language plpgsql volatile
    set search_path = ''
as $$
declare
    moment timestamptz := clock_timestamp();
    every interval := make_interval(secs => every_s);
    full_until timestamptz;
begin
    insert into auth.limits as l (key, full_until)
    values (bucket, moment + every)
    on conflict (key) do update
        set full_until = greatest(l.full_until, moment) + every
        where greatest(l.full_until, moment) + every <= moment + every * burst;
    if found then
        return null;
    end if;
    select l.full_until into full_until from auth.limits l where l.key = bucket;
    return greatest(extract(epoch from full_until + every - every * burst - moment), 0);
end
$$;

comment on function auth.admit(text, integer, double precision) is 'Takes one from a bucket that holds so many and gets one back every so many seconds. NULL when there was one; otherwise the seconds until there is.';

create function auth.give_back(bucket text, every_s double precision)
    returns void
    language plpgsql volatile
    set search_path = ''
as $$
begin
    update auth.limits l
    set full_until = l.full_until - make_interval(secs => every_s)
    where l.key = bucket;
end
$$;

comment on function auth.give_back(text, double precision) is 'Puts one back into a bucket: what was tried was no attack.';
