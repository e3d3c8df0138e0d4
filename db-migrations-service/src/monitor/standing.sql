SET LOCAL transaction_read_only = on;
SET LOCAL statement_timeout = '5s';
SET LOCAL lock_timeout = '100ms';
SELECT concat_ws(' ',
    (SELECT concat_ws(' ', count(*), max(id), max(applied_at), max(blessed_at), max(rolled_back_at))
     FROM migration_service.history),
    (SELECT concat_ws(' ', count(*), max(at)) FROM migration_service.journal),
    (SELECT concat_ws(' ', count(*), max(at)) FROM migration_service.failure),
    (SELECT md5(value) FROM migration_service.meta WHERE key = 'catalogue'))
