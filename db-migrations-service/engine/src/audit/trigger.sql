
DECLARE
  marker  pg_catalog.text := pg_catalog.current_setting('backtrace_functions');
  mark    pg_catalog.text;
  stack   pg_catalog.text;
  done    pg_catalog.jsonb;
  nested  pg_catalog.bool;
  told    pg_catalog.bool := pg_catalog.split_part(marker, '_', 3) OPERATOR(pg_catalog.=) 'told';
  via     pg_catalog.bool;
  actor   pg_catalog.text;
  message pg_catalog.text;
  shown   pg_catalog.text;
BEGIN
  -- Up to where a run's own statements return, the same few functions and operators do all: each further one costs a new session two pages.
  -- One line is this function's own; what a function or a body runs has more.
  GET DIAGNOSTICS stack = PG_CONTEXT;
  nested := NOT pg_catalog.strpos(stack, E'\n') OPERATOR(pg_catalog.=) 0;
  -- The way of every statement of a run: it must be short.
  IF told AND NOT nested THEN
    RETURN;
  END IF;
  -- What the run itself passes through a door has two more: the statement, as it stands between the run's marks in its message, and the
  -- door. Whatever is run by that statement has these and further ones, and so is longer than what it is compared with.
  IF told THEN
    mark := '$profe_' OPERATOR(pg_catalog.||) pg_catalog.split_part(marker, '_', 2) OPERATOR(pg_catalog.||) '$';
    IF stack OPERATOR(pg_catalog.=) (pg_catalog.split_part(stack, E'\n', 1)
         OPERATOR(pg_catalog.||) E'\nSQL statement "' OPERATOR(pg_catalog.||) pg_catalog.split_part(pg_catalog.current_query(), mark, 2)
         OPERATOR(pg_catalog.||) E'"\n' OPERATOR(pg_catalog.||) pg_catalog.split_part(stack, E'\n', -1)) THEN
      RETURN;
    END IF;
  END IF;
  via := marker OPERATOR(pg_catalog.~) '^profe_[0-9a-f]{32}';
  actor := pg_catalog.current_setting('role');
  BEGIN
    IF tg_event OPERATOR(pg_catalog.=) 'sql_drop' THEN
      SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('command', tg_tag, 'type', d.object_type,
               'schema', d.schema_name, 'identity', d.object_identity, 'dropped', true))
        INTO done
        FROM pg_catalog.pg_event_trigger_dropped_objects() d
       WHERE (d.original OR d.normal) AND NOT d.is_temporary
         AND COALESCE(d.address_names[1], '') OPERATOR(pg_catalog.<>) 'pg_temp';
    ELSE
      SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('command', c.command_tag, 'type', c.object_type,
               'schema', c.schema_name, 'identity', c.object_identity))
        INTO done
        FROM pg_catalog.pg_event_trigger_ddl_commands() c
       WHERE NOT c.in_extension AND COALESCE(c.schema_name, '') OPERATOR(pg_catalog.<>) 'pg_temp'
         AND COALESCE(c.object_identity, '') OPERATOR(pg_catalog.!~~) 'pg\_temp.%'
         AND COALESCE(c.object_identity, '') OPERATOR(pg_catalog.!~~) '% on pg\_temp.%';
    END IF;
    -- Nothing was done, or only to what is the session's own. REASSIGN OWNED does not say what it did.
    IF done IS NULL AND tg_tag OPERATOR(pg_catalog.<>) 'REASSIGN OWNED' THEN
      RETURN;
    END IF;
    IF NOT told THEN
      message := pg_catalog.current_query();
      shown := pg_catalog."left"(message, 8000);
      -- Where a secret can stand in it – also in another statement of the same message, such as a role's password – every value is
      -- hidden. What cannot be told apart so easily is hidden from there to the end: values between dollars, and after a comment.
      -- The strings are such as mean the same whatever the session has set.
      IF shown OPERATOR(pg_catalog.~*) E'\\m(passw|secret|credential|token|api_?key|mapping\\M|subscription\\M|server\\M|connection\\M|dblink)|://[^/]*@' THEN
        shown := pg_catalog.regexp_replace(shown,
          CASE pg_catalog.current_setting('standard_conforming_strings') WHEN 'on' THEN E'/\\*.*' ELSE E'(/\\*|'').*' END, '''');
        SELECT pg_catalog.string_agg(COALESCE(part[1], '''***'''), '' ORDER BY place) INTO shown
          FROM pg_catalog.regexp_matches(shown,
                 E'([[:alpha:]_][[:alnum:]_$]*|"[^"]*"?|[0-9]+|[^[:alnum:]_''"$-]+|-|\\$[0-9]*)|--[^\\n]*'
                 '|[eE]''(?:\\\\.|''''|[^''\\\\])*(?:''|\\Z)|''(?:''''|[^''])*(?:''|\\Z)|\\$(?:[[:alpha:]_][[:alnum:]_]*)?\\$.*',
                 'g') WITH ORDINALITY AS found (part, place);
      END IF;
    END IF;
    INSERT INTO migration_service.audit_entry
      (event, command, acting_role, objects, statement, statement_bytes, statement_sha256, context, via_service, run_id)
    VALUES (tg_event, tg_tag, CASE WHEN actor OPERATOR(pg_catalog.=) 'none' THEN session_user ELSE actor END,
      COALESCE(done, '[]'), shown, pg_catalog.octet_length(message),
      -- A message of many statements comes here once for each: hashing a long one every time would take minutes.
      -- Nor is there a hash of a hidden value, by which it could be guessed.
      CASE WHEN pg_catalog.octet_length(message) OPERATOR(pg_catalog.<=) 65536
             AND shown OPERATOR(pg_catalog.=) pg_catalog."left"(message, 8000) THEN pg_catalog.encode(
        pg_catalog.sha256(pg_catalog.convert_to(message, pg_catalog.getdatabaseencoding())), 'hex') END,
      CASE WHEN nested THEN pg_catalog."left"(pg_catalog.substr(stack, pg_catalog.strpos(stack, E'\n') OPERATOR(pg_catalog.+) 1), 4000) END,
      via, CASE WHEN via THEN pg_catalog.substr(marker, 7, 32)::pg_catalog.uuid END);
  EXCEPTION WHEN OTHERS THEN
    -- Nobody's statement fails because it is watched.
    stack := SQLERRM;
    RAISE WARNING 'the audit could not record %: %', tg_tag, stack;
    BEGIN
      INSERT INTO migration_service.audit_entry (event, command, acting_role, objects, context, via_service)
      VALUES ('error', tg_tag, session_user, '[]', stack, via);
    EXCEPTION WHEN OTHERS THEN
      RETURN;
    END;
  END;
END 
