SELECT coalesce(jsonb_agg(jsonb_build_object(
           'statement', left(query, 2000), 'calls', calls,
           'totalMs', total_exec_time, 'meanMs', mean_exec_time, 'rows', rows) ORDER BY total_exec_time DESC), '[]')
FROM (SELECT s.* FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
      WHERE d.datname = current_database() ORDER BY total_exec_time DESC LIMIT 20) top
