-- Runs that outlast the process that began them.

ALTER TABLE migration_service.run ADD COLUMN IF NOT EXISTS run_order jsonb;
ALTER TABLE migration_service.run ADD COLUMN IF NOT EXISTS continued_by uuid;
ALTER TABLE migration_service.run ADD COLUMN IF NOT EXISTS taken_at timestamptz;
ALTER TABLE migration_service.run ADD COLUMN IF NOT EXISTS cancel_asked boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN migration_service.run.cancel_asked IS 'Somebody asked another copy to stop it; its own looks every few seconds';
COMMENT ON COLUMN migration_service.run.run_order IS 'What was asked for, so that another copy can go on with it; null where nobody does: the command line''s runs, dry runs, resets of seeds, what took its process with it too often, and what can no longer be done';
COMMENT ON COLUMN migration_service.run.continued_by IS 'The run that goes on with it, after its process had died or handed it over';
COMMENT ON COLUMN migration_service.run.taken_at IS 'When a copy took it up; where no run has come of that within a minute, another one may. In the future where one could not go on: not to be tried before';

CREATE INDEX IF NOT EXISTS run_left_idx ON migration_service.run (id) WHERE state = 'interrupted' AND run_order IS NOT NULL;
COMMENT ON INDEX migration_service.run_left_idx IS 'Runs that another copy may go on with, looked for every few seconds';
CREATE INDEX IF NOT EXISTS run_continued_by_idx ON migration_service.run (continued_by) WHERE continued_by IS NOT NULL;
COMMENT ON INDEX migration_service.run_continued_by_idx IS 'Which run another one goes on with';
