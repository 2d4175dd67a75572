-- Reports of page views lie in blocks instead of a row each: a row with two indexes that was inserted, closed and removed
-- for every report cost more than everything else that the service does with it. `pending` stays until it is drained.

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
