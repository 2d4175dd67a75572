-- The first schema: tenants and access, the journal of deltas, windows, series, runs, releases, policy,
-- findings with their deliveries, verdicts. Every table that grows starts its key with project_id, ids are made by the
-- application, times are microseconds since the epoch in UTC: the same schema distributes by project_id.

CREATE TABLE project (
    id BLOB NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    created_us INTEGER NOT NULL
) STRICT;

CREATE TABLE access_token (
    id BLOB NOT NULL PRIMARY KEY,
    project_id BLOB NOT NULL,
    scope TEXT NOT NULL,
    secret_sha256 BLOB NOT NULL,
    label TEXT NOT NULL,
    -- only for rum keys, which are public
    public_key TEXT,
    created_us INTEGER NOT NULL,
    expires_us INTEGER,
    revoked_us INTEGER,
    last_used_us INTEGER
) STRICT;

CREATE TABLE account (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    secret_sha256 BLOB NOT NULL PRIMARY KEY,
    account_id BLOB NOT NULL,
    created_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT;

-- the one-time link of the first start
CREATE TABLE enrolment (
    secret_sha256 BLOB NOT NULL PRIMARY KEY,
    expires_us INTEGER NOT NULL,
    used_us INTEGER
) STRICT;

-- one row per project and commit: the deltas, until the fold has merged them
CREATE TABLE journal (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    received_us INTEGER NOT NULL,
    deltas BLOB NOT NULL,
    PRIMARY KEY (project_id, id)
) STRICT;

CREATE TABLE idempotency (
    project_id BLOB NOT NULL,
    key TEXT NOT NULL,
    content_sha256 BLOB NOT NULL,
    answer TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE batch (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    run_id BLOB,
    received_us INTEGER NOT NULL,
    format TEXT NOT NULL,
    content_sha256 BLOB NOT NULL,
    series_count INTEGER NOT NULL,
    sample_count INTEGER NOT NULL,
    skipped TEXT NOT NULL,
    PRIMARY KEY (project_id, id)
) STRICT;

CREATE TABLE series (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    flow_name TEXT NOT NULL,
    metric TEXT NOT NULL,
    unit TEXT NOT NULL,
    dimension TEXT NOT NULL,
    source TEXT NOT NULL,
    testbed TEXT NOT NULL,
    basis TEXT NOT NULL,
    labels TEXT NOT NULL,
    direction TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, id)
) STRICT, WITHOUT ROWID;

-- which series the fold has changed since the detector last judged them
CREATE TABLE series_state (
    project_id BLOB NOT NULL,
    series_id BLOB NOT NULL,
    changed INTEGER NOT NULL,
    judged INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, series_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX series_state_unjudged ON series_state (project_id, changed_us) WHERE changed > judged;

CREATE TABLE run (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    testbed TEXT NOT NULL,
    release TEXT NOT NULL,
    commit_id TEXT,
    branch TEXT,
    pull_request TEXT,
    on_main INTEGER NOT NULL,
    workload TEXT,
    harness TEXT,
    fingerprint TEXT NOT NULL,
    started_us INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    excluded_us INTEGER,
    excluded_reason TEXT,
    PRIMARY KEY (project_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_by_release ON run (project_id, release);

CREATE TABLE release (
    project_id BLOB NOT NULL,
    name TEXT NOT NULL,
    commit_id TEXT,
    parent TEXT,
    branch TEXT,
    on_main INTEGER NOT NULL,
    -- commit or deploy time where told, else when it was first seen
    time_us INTEGER NOT NULL,
    -- whether time_us was told or only seen
    declared INTEGER NOT NULL,
    note TEXT,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT, WITHOUT ROWID;

-- kind: 1 run, 2 release, 3 UTC day, 4 UTC hour; run_id is 16 zero bytes but for runs, start_us is 0 for runs and releases
CREATE TABLE series_window (
    project_id BLOB NOT NULL,
    series_id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    release TEXT NOT NULL,
    run_id BLOB NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    count INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    headline REAL,
    p50 REAL,
    p50_lower REAL,
    p50_upper REAL,
    p75 REAL,
    p75_lower REAL,
    p75_upper REAL,
    p99 REAL,
    p99_lower REAL,
    p99_upper REAL,
    body BLOB NOT NULL,
    PRIMARY KEY (project_id, series_id, kind, start_us, release, run_id)
) STRICT;

-- reports of page views whose last word may still come
CREATE TABLE pending (
    project_id BLOB NOT NULL,
    report_id BLOB NOT NULL,
    series_id BLOB NOT NULL,
    release TEXT NOT NULL,
    stratum TEXT NOT NULL,
    value INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    closed_us INTEGER,
    PRIMARY KEY (project_id, report_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_open ON pending (project_id, last_us) WHERE closed_us IS NULL;
CREATE INDEX pending_of_series ON pending (project_id, series_id) WHERE closed_us IS NULL;

CREATE TABLE epoch (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    flow TEXT NOT NULL,
    source TEXT,
    at_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, id)
) STRICT;

CREATE TABLE policy (
    project_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    toml TEXT NOT NULL,
    applied_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (project_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE finding (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    series_id BLOB NOT NULL,
    identity TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    flow TEXT NOT NULL,
    owner TEXT,
    assignee TEXT,
    onset_us INTEGER NOT NULL,
    detected_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    snoozed_until_us INTEGER,
    closed_us INTEGER,
    -- the size that was last told to the owner, in per cent
    told_pct REAL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, identity)
) STRICT;
CREATE INDEX finding_of_series ON finding (project_id, series_id);

CREATE TABLE finding_event (
    project_id BLOB NOT NULL,
    finding_id BLOB NOT NULL,
    id BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (project_id, finding_id, id)
) STRICT;

CREATE TABLE delivery (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    finding_id BLOB NOT NULL,
    route TEXT NOT NULL,
    event TEXT NOT NULL,
    message TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until_us INTEGER NOT NULL,
    sent_us INTEGER,
    dead_us INTEGER,
    last_error TEXT,
    PRIMARY KEY (project_id, id)
) STRICT;
CREATE INDEX delivery_due ON delivery (due_us) WHERE sent_us IS NULL AND dead_us IS NULL;
CREATE INDEX delivery_of_finding ON delivery (project_id, finding_id);

CREATE TABLE lease (
    project_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    until_us INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    PRIMARY KEY (project_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE verdict (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    gate TEXT NOT NULL,
    release TEXT NOT NULL,
    evidence_sha256 BLOB NOT NULL,
    verdict TEXT NOT NULL,
    body TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, gate, release, evidence_sha256)
) STRICT;
CREATE INDEX verdict_by_time ON verdict (project_id, created_us);

-- what was deliberately not stored, by reason and UTC day
CREATE TABLE dropped_count (
    project_id BLOB NOT NULL,
    day_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (project_id, day_us, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    project_id BLOB NOT NULL,
    id BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (project_id, id)
) STRICT;
