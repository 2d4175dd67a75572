-- What is known of a window besides its contents becomes one text: times, counts and stored percentiles, parted by
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
