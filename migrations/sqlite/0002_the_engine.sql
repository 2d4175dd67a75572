-- What the engine needs, in six parts: page views in blocks, windows read as narrow rows, versions of a project's record,
-- deletion, an index for every statement, and upkeep.

-- 1. Reports of page views lie in blocks instead of a row each: a row with two indexes that was inserted, closed and
-- removed for every report cost more than everything else that the service does with it. `pending` stays until it is drained.

-- stretches of ten minutes with page views that are still open
CREATE TABLE open_bucket (
    project_id BLOB NOT NULL,
    bucket_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, bucket_us)
) STRICT, WITHOUT ROWID;

-- what one round of the fold took in of a bucket; a part holds a share of the series, by their ids
CREATE TABLE open_report (
    project_id BLOB NOT NULL,
    bucket_us INTEGER NOT NULL,
    part INTEGER NOT NULL,
    id BLOB NOT NULL,
    reports BLOB NOT NULL,
    PRIMARY KEY (project_id, bucket_us, part, id)
) STRICT;

-- digests of the reports whose page views closed in an hour, so that what comes later is known to be late
CREATE TABLE closed_report (
    project_id BLOB NOT NULL,
    hour_us INTEGER NOT NULL,
    part INTEGER NOT NULL,
    id BLOB NOT NULL,
    reports BLOB NOT NULL,
    PRIMARY KEY (project_id, hour_us, part, id)
) STRICT;

-- 2. What is known of a window besides its contents becomes one text: times, counts and stored percentiles, parted by
-- commas, in the order of the columns that they were, empty where there is none. A year of a series is read as 365 rows of
-- four columns instead of twenty, which was most of what the question cost.

CREATE TABLE told_window (
    project_id BLOB NOT NULL,
    series_id BLOB NOT NULL,
    -- 1 run, 2 release, 3 UTC day, 4 UTC hour; run_id is 16 zero bytes but for runs, start_us is 0 for runs and releases
    kind INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    release TEXT NOT NULL,
    run_id BLOB NOT NULL,
    -- first_us, last_us, count, failed, dropped, headline, then p50, p75 and p99, each with its lower and upper end
    told TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (project_id, series_id, kind, start_us, release, run_id)
) STRICT;

INSERT INTO told_window (project_id, series_id, kind, start_us, release, run_id, told, body)
SELECT project_id, series_id, kind, start_us, release, run_id,
    first_us || ',' || last_us || ',' || count || ',' || failed || ',' || dropped || ',' ||
        CASE WHEN headline IS NULL THEN '' ELSE printf('%!.17g', headline) END || ',' ||
        CASE WHEN p50 IS NULL THEN '' ELSE printf('%!.17g', p50) END || ',' ||
        CASE WHEN p50_lower IS NULL THEN '' ELSE printf('%!.17g', p50_lower) END || ',' ||
        CASE WHEN p50_upper IS NULL THEN '' ELSE printf('%!.17g', p50_upper) END || ',' ||
        CASE WHEN p75 IS NULL THEN '' ELSE printf('%!.17g', p75) END || ',' ||
        CASE WHEN p75_lower IS NULL THEN '' ELSE printf('%!.17g', p75_lower) END || ',' ||
        CASE WHEN p75_upper IS NULL THEN '' ELSE printf('%!.17g', p75_upper) END || ',' ||
        CASE WHEN p99 IS NULL THEN '' ELSE printf('%!.17g', p99) END || ',' ||
        CASE WHEN p99_lower IS NULL THEN '' ELSE printf('%!.17g', p99_lower) END || ',' ||
        CASE WHEN p99_upper IS NULL THEN '' ELSE printf('%!.17g', p99_upper) END,
    body
FROM series_window;

DROP TABLE series_window;
ALTER TABLE told_window RENAME TO series_window;

-- 3. How often each instance has changed a project's series, runs, releases, epochs or configuration: readers remember
-- what they read of them and read it again only when one of these rows has changed.
CREATE TABLE record_version (
    project_id BLOB NOT NULL,
    instance_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, instance_id)
) STRICT, WITHOUT ROWID;

-- 4. Deletion: what a person asked to be taken out, the journal rows that were there when they asked, and what finds
-- a run's or a release's uploads with their idempotency keys. A deleted series keeps its row, hidden, so that data which
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
ALTER TABLE release ADD COLUMN runs_forgotten_us INTEGER;

-- Where it knows nothing of a table's rows, SQLite takes any first column for one that leaves ten of them: the project
-- would then find rows as well as an index made to find them, and better where rows are wanted in order. So it is told
-- once what rows look like in a database that has grown: a million in a table, a tenth of them one project's; after the
-- whole, how many share the first column, the first two, and so on. PostgreSQL counts for itself.
ANALYZE account;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('access_token', 'sqlite_autoindex_access_token_1', '100000 1'),
    ('access_token', 'access_token_of_project', '100000 10 1'),
    ('journal', 'sqlite_autoindex_journal_1', '1000000 100000 1'),
    ('idempotency', 'idempotency', '1000000 100000 1'),
    ('idempotency', 'idempotency_by_time', '1000000 100000 1'),
    ('batch', 'sqlite_autoindex_batch_1', '1000000 100000 1'),
    ('batch', 'batch_by_release', '1000000 100000 200 2'),
    ('series', 'series', '100000 10000 1'),
    ('series', 'series_by_source', '100000 10000 5000 10'),
    ('series', 'series_deleted', '1000 100 1'),
    ('series_state', 'series_state', '100000 10000 1'),
    ('series_state', 'series_state_unjudged', '1000 100 1'),
    ('run', 'run', '1000000 100000 1'),
    ('run', 'run_by_release', '1000000 100000 100'),
    ('run', 'run_excluded', '1000 100 1'),
    ('run', 'run_by_time', '1000000 100000 2 1'),
    ('release', 'release', '100000 10000 1'),
    ('series_window', 'sqlite_autoindex_series_window_1', '10000000 1000000 1000 300 3 1 1'),
    ('series_window', 'series_window_of_run', '1000000 100000 10'),
    ('open_bucket', 'open_bucket', '10000 5 1'),
    ('open_report', 'sqlite_autoindex_open_report_1', '10000000 1000000 100000 2000 1'),
    ('closed_report', 'sqlite_autoindex_closed_report_1', '1000000 100000 4000 6 1'),
    ('record_version', 'record_version', '10000 10 1'),
    ('finding', 'sqlite_autoindex_finding_1', '100000 10000 1'),
    ('finding', 'sqlite_autoindex_finding_2', '100000 10000 1'),
    ('finding', 'finding_of_series', '100000 10000 10'),
    ('finding_event', 'sqlite_autoindex_finding_event_1', '1000000 100000 10 1'),
    ('delivery', 'sqlite_autoindex_delivery_1', '1000000 100000 1'),
    ('delivery', 'delivery_due', '1000 1'),
    ('delivery', 'delivery_of_finding', '1000000 100000 10'),
    ('verdict', 'sqlite_autoindex_verdict_1', '1000000 100000 1'),
    ('verdict', 'sqlite_autoindex_verdict_2', '1000000 100000 1000 10 1'),
    ('verdict', 'verdict_by_time', '1000000 100000 1'),
    ('dropped_count', 'dropped_count', '100000 10000 10 1'),
    ('audit', 'sqlite_autoindex_audit_1', '1000000 100000 1');
-- reads them in
ANALYZE sqlite_schema;
