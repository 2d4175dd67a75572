-- What would go unseen in a series is worked out about daily, in the background: some hundred judgements of its own noise
-- are too much for whoever reads a page.

-- the answer as JSON; null where there is too little history
ALTER TABLE series_state ADD COLUMN blind_spot TEXT;
-- when it was last looked at, 0 before the first time
ALTER TABLE series_state ADD COLUMN blind_spot_us INTEGER NOT NULL DEFAULT 0;
CREATE INDEX series_state_by_blind_spot ON series_state (project_id, blind_spot_us);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('series_state', 'series_state_by_blind_spot', '100000 10000 1');
ANALYZE sqlite_schema;
