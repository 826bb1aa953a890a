-- Runs are steps of the migration too; one that was killed has begun and never ended.
ALTER TABLE migration_audit DROP CONSTRAINT migration_audit_step_check;
ALTER TABLE migration_audit ADD CONSTRAINT migration_audit_step_check CHECK (
    step IN ('run-begun', 'run-ended', 'sync', 'cutover', 'rollback', 'drop-legacy')
);
