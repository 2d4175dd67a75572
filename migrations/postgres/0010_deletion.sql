-- Deletion: what a person asked to be taken out, the journal rows that were there when they asked, and what finds a
-- run's or a release's uploads with their idempotency keys. A deleted series keeps its row, hidden, so that data which
-- come for it later find its description whichever instance took them in.

CREATE TABLE deletion (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    -- batch, run, release, series or project, and its id or name
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- the release of a run
    release TEXT,
    actor TEXT NOT NULL,
    asked_us BIGINT NOT NULL,
    due_us BIGINT NOT NULL,
    -- the series that the work has come to
    reached BYTEA,
    done_us BIGINT,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX deletion_undone ON deletion (project_id, id) WHERE done_us IS NULL;

CREATE TABLE deletion_journal (
    project_id BYTEA NOT NULL,
    deletion_id BYTEA NOT NULL,
    journal_id BYTEA NOT NULL,
    PRIMARY KEY (project_id, deletion_id, journal_id)
);

ALTER TABLE series ADD COLUMN deleted_us BIGINT;
CREATE INDEX series_deleted ON series (project_id, deleted_us) WHERE deleted_us IS NOT NULL;

ALTER TABLE batch ADD COLUMN idempotency_key TEXT;
ALTER TABLE batch ADD COLUMN release TEXT;
UPDATE batch SET release = run.release FROM run WHERE run.project_id = batch.project_id AND run.id = batch.run_id;
UPDATE batch SET idempotency_key = idempotency.key FROM idempotency
WHERE batch.project_id = idempotency.project_id
    AND batch.id = decode(CAST(idempotency.answer AS JSON) ->> 'batch', 'hex');
CREATE INDEX batch_by_release ON batch (project_id, release, run_id);
