-- Rows that stay together: what every commit writes, and windows, in fewer pages.

-- PostgreSQL moves what makes a row larger than 2 KB into a table of its own, in pieces of 2 KB with an entry in an index
-- each, after it has tried to compress it. The contents of a window of 10,000 samples take 2 KB, compressed already: in the
-- row a window takes 3.0 KB in all instead of 4.4. What the journal holds is there for a moment. New rows are written so;
-- older ones stay as they are.

-- In the fold's order, and not for long: whoever writes waits behind this, and this behind whoever reads for long.
SET LOCAL lock_timeout = '10s';
LOCK TABLE open_report, series_window, journal IN ACCESS EXCLUSIVE MODE;
ALTER TABLE series_window SET (toast_tuple_target = 4080);
ALTER TABLE series_window ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE journal SET (toast_tuple_target = 8160);
ALTER TABLE journal ALTER COLUMN deltas SET STORAGE EXTERNAL;
ALTER TABLE open_report ALTER COLUMN reports SET STORAGE EXTERNAL;
