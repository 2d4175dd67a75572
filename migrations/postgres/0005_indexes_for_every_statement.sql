-- Indexes for the statements that read all of a project's rows, or a whole table, to find a few: tokens of a project,
-- keys to forget, flows of real users, excluded runs, the series of a run.

CREATE INDEX access_token_of_project ON access_token (project_id, id);
CREATE INDEX idempotency_by_time ON idempotency (project_id, created_us);
CREATE INDEX series_by_source ON series (project_id, source, flow_name);
CREATE INDEX run_excluded ON run (project_id, id) WHERE excluded_us IS NOT NULL;
CREATE INDEX series_window_of_run ON series_window (project_id, run_id) WHERE kind = 1;
