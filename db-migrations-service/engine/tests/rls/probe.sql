-- Tries statements as somebody and undoes them, on the server, so that thousands of attempts are one message.
-- Lives only in the clone of one test.

create schema rls_probe;

-- The tables of the matrix, and the change that stands for UPDATE: a constant, so that it reads no column.
create table rls_probe.tables (
    position int primary key,
    name text not null,
    key text not null,
    change text not null
);

-- Who tries. In the name of a database role, {service} is the name of the table's service.
create table rls_probe.actors (
    position int primary key,
    name text not null,
    db_role text not null,
    claims text
);

-- Runs one statement as somebody, looks with the superuser's eyes at what it left behind, and undoes it.
-- Answers the keys of the rows that are new, changed or gone (for SELECT: of the rows that were read), 'denied' where
-- the role may not use the table that way at all, nothing where a policy refused, and the SQLSTATE of anything else.
create function rls_probe.attempt(db_role text, claims text, statement text, target text, key text, before jsonb)
    returns text[]
    language plpgsql
as $$
declare
    touched text[];
    message text;
begin
    -- Settings made here end with the block's subtransaction.
    perform set_config('request.jwt.claims', claims, true), set_config('role', db_role, true);
    if before is null then
        execute statement into touched;
    else
        execute statement;
        perform set_config('role', 'none', true);
        execute format(
            'select array_agg(coalesce(t.%1$I::text, b.key)) from %2$s t
             full join jsonb_each_text($1) b on b.key = t.%1$I::text
             where t.ctid::text is distinct from b.value', key, target)
        into touched using before;
    end if;
    raise exception using errcode = 'UNDO1';
exception
    when sqlstate 'UNDO1' then
        return coalesce(touched, '{}');
    when insufficient_privilege then
        get stacked diagnostics message = message_text;
        return case when message like 'permission denied%' then array['denied'] else '{}' end;
    when others then
        return array[sqlstate];
end
$$;

-- One cell: the rows that somebody reaches with a command, comma separated. Rows are tried one by one as an endpoint
-- would, by their key (INSERT: a copy under a new key). UPDATE and DELETE are tried once more blindly, without WHERE,
-- where policies for SELECT do not help; rows reached only that way are marked.
create function rls_probe.cell(
    db_role text, claims text, command text, target rls_probe.tables, keys text[], contents jsonb[], before jsonb
)
    returns text
    language plpgsql
as $$
declare
    reached text[] := '{}';
    touched text[];
    statement text;
begin
    if command = 'select' then
        statement := format('select array_agg(%I::text) from %s', target.key, target.name);
        return array_to_string(rls_probe.attempt(db_role, claims, statement, target.name, target.key, null), ',');
    end if;
    for n in 1 .. coalesce(cardinality(keys), 0) loop
        statement := case command
            when 'insert' then format('insert into %s select * from jsonb_populate_record(null::%1$s, %L)',
                target.name,
                contents[n] || jsonb_build_object(target.key,
                    case target.key when 'id' then gen_random_uuid()::text else keys[n] || '_copy' end))
            when 'update' then format('update %s set %s where %I = %L', target.name, target.change, target.key, keys[n])
            when 'delete' then format('delete from %s where %I = %L', target.name, target.key, keys[n])
        end;
        touched := rls_probe.attempt(db_role, claims, statement, target.name, target.key, before);
        if touched = array['denied'] then
            reached := touched;
            exit;
        elsif command = 'insert' and cardinality(touched) = 1 and length(touched[1]) > 5 then
            touched := array[keys[n]];
        end if;
        reached := reached || touched;
    end loop;
    if command in ('update', 'delete') then
        statement := case command
            when 'update' then format('update %s set %s', target.name, target.change)
            when 'delete' then format('delete from %s', target.name)
        end;
        foreach statement in array rls_probe.attempt(db_role, claims, statement, target.name, target.key, before) loop
            if not statement = any (reached) then
                reached := reached || ('blindly ' || statement);
            end if;
        end loop;
    end if;
    return array_to_string(reached, ',');
end
$$;

create function rls_probe.matrix(wanted_tables text[], wanted_actors text[])
    returns table (table_name text, actor text, "select" text, "insert" text, "update" text, "delete" text)
    language plpgsql
as $$
declare
    target rls_probe.tables;
    who rls_probe.actors;
    keys text[];
    contents jsonb[];
    before jsonb;
    db_role text;
begin
    for target in select * from rls_probe.tables t where t.name = any (wanted_tables) order by t.position loop
        execute format(
            'select array_agg(%1$I::text order by %1$I), array_agg(to_jsonb(t) order by %1$I),
                 jsonb_object_agg(%1$I::text, ctid::text) from %2$s t', target.key, target.name)
        into keys, contents, before;
        for who in select * from rls_probe.actors a where a.name = any (wanted_actors) order by a.position loop
            db_role := rls_probe.db_role(who.db_role, target.name);
            table_name := target.name;
            actor := who.name;
            "select" := rls_probe.cell(db_role, who.claims, 'select', target, keys, contents, before);
            "insert" := rls_probe.cell(db_role, who.claims, 'insert', target, keys, contents, before);
            "update" := rls_probe.cell(db_role, who.claims, 'update', target, keys, contents, before);
            "delete" := rls_probe.cell(db_role, who.claims, 'delete', target, keys, contents, before);
            return next;
        end loop;
    end loop;
end
$$;

-- {service} is the service that owns the table's schema, {other} the one after it.
create function rls_probe.db_role(template text, target text)
    returns text
    language sql
as $$
    select replace(replace(template, '{service}', names[own]), '{other}', names[own % cardinality(names) + 1])
    from (
        select names, array_position(names, replace(split_part(target, '.', 1), 'public', 'platform')) as own
        from (values (array[
            'platform', 'auth', 'organizations', 'users', 'academic', 'files', 'plans', 'chat', 'analytics'
        ])) as services (names)
    ) as of_table
$$;

-- Keys say nothing of who may write, and would hide it: a copy would be refused as a duplicate though its writer may
-- insert it, a course would stay because plans point at it though its admin may delete it. This clone goes without.
create procedure rls_probe.drop_keys()
    language plpgsql
as $$
declare
    statement text;
begin
    for statement in
        select format('alter table %s drop constraint %I', k.conrelid::regclass, k.conname)
        from pg_constraint k
        where k.contype in ('f', 'u')
          and k.conrelid in (select t.name::regclass from rls_probe.tables t)
        order by k.contype = 'u'
    loop
        execute statement;
    end loop;
    for statement in
        select format('drop index %s', i.indexrelid::regclass)
        from pg_index i
        where i.indisunique and not i.indisprimary
          and i.indrelid in (select t.name::regclass from rls_probe.tables t)
    loop
        execute statement;
    end loop;
end
$$;
