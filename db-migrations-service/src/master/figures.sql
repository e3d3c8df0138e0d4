WITH each AS (
    SELECT b.environment, s.service, b.state, b.started_at, b.finished_at, b.stored_bytes, b.verified_at,
           b.verification_ms, cardinality(b.findings) = 0 AS whole
    FROM migration_service.backup b
    CROSS JOIN LATERAL unnest(CASE WHEN cardinality(b.services) = 0 THEN ARRAY['*'] ELSE b.services END) s (service)
    WHERE b.state <> 'deleted'
), made AS (
    SELECT DISTINCT ON (environment, service) environment, service, finished_at, stored_bytes,
           extract(epoch FROM finished_at - started_at)::float8 AS duration_s
    FROM each WHERE state = 'ready' ORDER BY environment, service, started_at DESC
), attempt AS (
    SELECT DISTINCT ON (environment, service) environment, service, state = 'ready' AS succeeded
    FROM each WHERE state IN ('ready', 'failed', 'interrupted') ORDER BY environment, service, started_at DESC
), verified AS (
    SELECT DISTINCT ON (environment, service) environment, service, whole, verification_ms
    FROM each WHERE verified_at IS NOT NULL ORDER BY environment, service, verified_at DESC
)
SELECT environment, service, e.ready, attempt.succeeded, made.finished_at, made.duration_s, made.stored_bytes,
       e.verified_at, verified.whole, verified.verification_ms
FROM (SELECT environment, service, count(*) FILTER (WHERE state = 'ready') AS ready,
             max(verified_at) FILTER (WHERE whole) AS verified_at
      FROM each GROUP BY environment, service) e
LEFT JOIN made USING (environment, service)
LEFT JOIN attempt USING (environment, service)
LEFT JOIN verified USING (environment, service)
ORDER BY environment, service
