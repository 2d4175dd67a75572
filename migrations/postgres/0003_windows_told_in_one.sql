-- What is known of a window besides its contents becomes one text: times, counts and stored percentiles, parted by
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
