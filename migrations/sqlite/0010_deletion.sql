-- Deletion: what a person asked to be taken out, the journal rows that were there when they asked, and what finds a
-- run's or a release's uploads with their idempotency keys. A deleted series keeps its row, hidden, so that data which
-- come for it later find its description whichever instance took them in.

CREATE TABLE deletion (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    -- batch, run, release, series or project, and its id or name
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- the release of a run
    release TEXT,
    actor TEXT NOT NULL,
    asked_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    -- the series that the work has come to
    reached BLOB,
    done_us INTEGER,
    PRIMARY KEY (project_id, id)
) STRICT;
CREATE INDEX deletion_undone ON deletion (project_id, id) WHERE done_us IS NULL;

CREATE TABLE deletion_journal (
    project_id BLOB NOT NULL,
    deletion_id BLOB NOT NULL,
    journal_id BLOB NOT NULL,
    PRIMARY KEY (project_id, deletion_id, journal_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE series ADD COLUMN deleted_us INTEGER;
CREATE INDEX series_deleted ON series (project_id, deleted_us) WHERE deleted_us IS NOT NULL;

ALTER TABLE batch ADD COLUMN idempotency_key TEXT;
ALTER TABLE batch ADD COLUMN release TEXT;
UPDATE batch SET release = run.release FROM run WHERE run.project_id = batch.project_id AND run.id = batch.run_id;
UPDATE batch SET idempotency_key = idempotency.key FROM idempotency
WHERE batch.project_id = idempotency.project_id
    AND batch.id = unhex(idempotency.answer ->> 'batch');
CREATE INDEX batch_by_release ON batch (project_id, release, run_id);
