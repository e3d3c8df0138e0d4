WITH statement AS MATERIALIZED (
    SELECT left(s.query, 2000) AS query, s.queryid::text AS id, s.calls, s.total_exec_time, s.mean_exec_time, s.max_exec_time, s.rows,
           round(s.shared_blks_hit::numeric / nullif(s.shared_blks_hit + s.shared_blks_read, 0), 4) AS cache_hit_ratio,
           row_number() OVER (ORDER BY s.total_exec_time DESC, s.queryid) AS by_total,
           row_number() OVER (ORDER BY s.mean_exec_time DESC, s.queryid) AS by_mean
    FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND ($1::text IS NULL OR s.query ~* $1)
), shown AS (
    SELECT by_total, by_mean, jsonb_build_object(
               'statement', query, 'queryId', id, 'calls', calls, 'totalMs', total_exec_time, 'meanMs', mean_exec_time,
               'maxMs', max_exec_time, 'rows', rows, 'cacheHitRatio', cache_hit_ratio) AS document
    FROM statement
)
SELECT jsonb_build_object(
    'statements', (SELECT coalesce(jsonb_agg(document ORDER BY by_total), '[]') FROM shown WHERE by_total <= $2),
    'slowest', (SELECT coalesce(jsonb_agg(document ORDER BY by_mean), '[]') FROM shown WHERE by_mean <= $2))
