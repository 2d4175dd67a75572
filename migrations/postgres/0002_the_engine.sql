-- What the engine needs, in six parts: page views in blocks, windows read as narrow rows, versions of a project's record,
-- deletion, an index for every statement, and upkeep.

-- 1. Reports of page views lie in blocks instead of a row each: a row with two indexes that was inserted, closed and
-- removed for every report cost more than everything else that the service does with it. `pending` stays until it is drained.

-- stretches of ten minutes with page views that are still open
CREATE TABLE open_bucket (
    project_id BYTEA NOT NULL,
    bucket_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, bucket_us)
);

-- what one round of the fold took in of a bucket; a part holds a share of the series, by their ids
CREATE TABLE open_report (
    project_id BYTEA NOT NULL,
    bucket_us BIGINT NOT NULL,
    part BIGINT NOT NULL,
    id BYTEA NOT NULL,
    reports BYTEA NOT NULL,
    PRIMARY KEY (project_id, bucket_us, part, id)
);

-- digests of the reports whose page views closed in an hour, so that what comes later is known to be late
CREATE TABLE closed_report (
    project_id BYTEA NOT NULL,
    hour_us BIGINT NOT NULL,
    part BIGINT NOT NULL,
    id BYTEA NOT NULL,
    reports BYTEA NOT NULL,
    PRIMARY KEY (project_id, hour_us, part, id)
);

-- 2. What is known of a window besides its contents becomes one text: times, counts and stored percentiles, parted by
-- commas, in the order of the columns that they were, empty where there is none. A year of a series is read as 365 rows of
-- four columns instead of twenty, which was most of what the question cost.

CREATE TABLE told_window (
    project_id BYTEA NOT NULL,
    series_id BYTEA NOT NULL,
    -- 1 run, 2 release, 3 UTC day, 4 UTC hour; run_id is 16 zero bytes but for runs, start_us is 0 for runs and releases
    kind BIGINT NOT NULL,
    start_us BIGINT NOT NULL,
    release TEXT NOT NULL,
    run_id BYTEA NOT NULL,
    -- first_us, last_us, count, failed, dropped, headline, then p50, p75 and p99, each with its lower and upper end
    told TEXT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (project_id, series_id, kind, start_us, release, run_id)
);

INSERT INTO told_window (project_id, series_id, kind, start_us, release, run_id, told, body)
SELECT project_id, series_id, kind, start_us, release, run_id,
    CONCAT_WS(',', first_us, last_us, count, failed, dropped, COALESCE(CAST(headline AS TEXT), ''),
        COALESCE(CAST(p50 AS TEXT), ''), COALESCE(CAST(p50_lower AS TEXT), ''), COALESCE(CAST(p50_upper AS TEXT),
        ''), COALESCE(CAST(p75 AS TEXT), ''), COALESCE(CAST(p75_lower AS TEXT), ''),
        COALESCE(CAST(p75_upper AS TEXT), ''), COALESCE(CAST(p99 AS TEXT), ''), COALESCE(CAST(p99_lower AS TEXT),
        ''), COALESCE(CAST(p99_upper AS TEXT), '')),
    body
FROM series_window;

DROP TABLE series_window;
ALTER TABLE told_window RENAME TO series_window;

-- 3. How often each instance has changed a project's series, runs, releases, epochs or configuration: readers remember
-- what they read of them and read it again only when one of these rows has changed.
CREATE TABLE record_version (
    project_id BYTEA NOT NULL,
    instance_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, instance_id)
);

-- 4. Deletion: what a person asked to be taken out, the journal rows that were there when they asked, and what finds
-- a run's or a release's uploads with their idempotency keys. A deleted series keeps its row, hidden, so that data which
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

-- 5. Indexes for the statements that read all of a project's rows, or a whole table, to find a few: tokens of a
-- project, keys to forget, flows of real users, excluded runs, the series of a run.

CREATE INDEX access_token_of_project ON access_token (project_id, id);
CREATE INDEX idempotency_by_time ON idempotency (project_id, created_us);
CREATE INDEX series_by_source ON series (project_id, source, flow_name);
CREATE INDEX run_excluded ON run (project_id, id) WHERE excluded_us IS NOT NULL;
CREATE INDEX series_window_of_run ON series_window (project_id, run_id) WHERE kind = 1;

-- 6. Upkeep: what finds sessions, deletions and runs that are old enough to be forgotten, and since when a release's
-- window holds runs that are: it can't be built anew from the others.

CREATE INDEX session_by_end ON session (expires_us);
CREATE INDEX deletion_done ON deletion (project_id, done_us) WHERE done_us IS NOT NULL;
CREATE INDEX run_by_time ON run (project_id, started_us, id);
ALTER TABLE release ADD COLUMN runs_forgotten_us BIGINT;
