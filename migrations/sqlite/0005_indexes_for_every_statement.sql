-- Indexes for the statements that read all of a project's rows, or a whole table, to find a few: tokens of a project,
-- keys to forget, flows of real users, excluded runs, the series of a run.

CREATE INDEX access_token_of_project ON access_token (project_id, id);
CREATE INDEX idempotency_by_time ON idempotency (project_id, created_us);
CREATE INDEX series_by_source ON series (project_id, source, flow_name);
CREATE INDEX run_excluded ON run (project_id, id) WHERE excluded_us IS NOT NULL;
CREATE INDEX series_window_of_run ON series_window (project_id, run_id) WHERE kind = 1;

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
    ('series', 'series', '100000 10000 1'),
    ('series', 'series_by_source', '100000 10000 5000 10'),
    ('series_state', 'series_state', '100000 10000 1'),
    ('series_state', 'series_state_unjudged', '1000 100 1'),
    ('run', 'run', '1000000 100000 1'),
    ('run', 'run_by_release', '1000000 100000 100'),
    ('run', 'run_excluded', '1000 100 1'),
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
