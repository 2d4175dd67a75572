-- Rows that stay together: what every commit writes, and windows, in fewer pages.

-- A table that has rows and, beside them, an index of their keys is changed in two pages by every row. In one tree by its
-- key a commit of beacons writes half as much. What is longer than 4 KB goes on in a page beside the tree: two again.

CREATE TABLE journal_by_id (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    received_us INTEGER NOT NULL,
    deltas BLOB NOT NULL,
    PRIMARY KEY (project_id, id)
) STRICT, WITHOUT ROWID;
INSERT INTO journal_by_id (project_id, id, received_us, deltas)
SELECT project_id, id, received_us, deltas FROM journal;
DROP TABLE journal;
ALTER TABLE journal_by_id RENAME TO journal;

-- What SQLite was told of the table's rows went with it.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('journal', 'journal', '1000000 100000 1');
ANALYZE sqlite_schema;
