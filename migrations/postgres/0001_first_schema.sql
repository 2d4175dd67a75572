-- The first schema: tenants and access, the journal of deltas, windows, series, runs, releases, policy,
-- findings with their deliveries, verdicts. Every table that grows starts its key with project_id, ids are made by the
-- application, times are microseconds since the epoch in UTC: the same schema distributes by project_id.

CREATE TABLE project (
    id BYTEA NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    created_us BIGINT NOT NULL
);

CREATE TABLE access_token (
    id BYTEA NOT NULL PRIMARY KEY,
    project_id BYTEA NOT NULL,
    scope TEXT NOT NULL,
    secret_sha256 BYTEA NOT NULL,
    label TEXT NOT NULL,
    -- only for rum keys, which are public
    public_key TEXT,
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    revoked_us BIGINT,
    last_used_us BIGINT
);

CREATE TABLE account (
    id BYTEA NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_us BIGINT NOT NULL
);

CREATE TABLE session (
    secret_sha256 BYTEA NOT NULL PRIMARY KEY,
    account_id BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL
);

-- the one-time link of the first start
CREATE TABLE enrolment (
    secret_sha256 BYTEA NOT NULL PRIMARY KEY,
    expires_us BIGINT NOT NULL,
    used_us BIGINT
);

-- one row per project and commit: the deltas, until the fold has merged them
CREATE TABLE journal (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    received_us BIGINT NOT NULL,
    deltas BYTEA NOT NULL,
    PRIMARY KEY (project_id, id)
);

CREATE TABLE idempotency (
    project_id BYTEA NOT NULL,
    key TEXT NOT NULL,
    content_sha256 BYTEA NOT NULL,
    answer TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, key)
);

CREATE TABLE batch (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    run_id BYTEA,
    received_us BIGINT NOT NULL,
    format TEXT NOT NULL,
    content_sha256 BYTEA NOT NULL,
    series_count BIGINT NOT NULL,
    sample_count BIGINT NOT NULL,
    skipped TEXT NOT NULL,
    PRIMARY KEY (project_id, id)
);

CREATE TABLE series (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    flow_name TEXT NOT NULL,
    metric TEXT NOT NULL,
    unit TEXT NOT NULL,
    dimension TEXT NOT NULL,
    source TEXT NOT NULL,
    testbed TEXT NOT NULL,
    basis TEXT NOT NULL,
    labels TEXT NOT NULL,
    direction TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, id)
);

-- which series the fold has changed since the detector last judged them
CREATE TABLE series_state (
    project_id BYTEA NOT NULL,
    series_id BYTEA NOT NULL,
    changed BIGINT NOT NULL,
    judged BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, series_id)
);
CREATE INDEX series_state_unjudged ON series_state (project_id, changed_us) WHERE changed > judged;

CREATE TABLE run (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    testbed TEXT NOT NULL,
    release TEXT NOT NULL,
    commit_id TEXT,
    branch TEXT,
    pull_request TEXT,
    on_main BIGINT NOT NULL,
    workload TEXT,
    harness TEXT,
    fingerprint TEXT NOT NULL,
    started_us BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    excluded_us BIGINT,
    excluded_reason TEXT,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX run_by_release ON run (project_id, release);

CREATE TABLE release (
    project_id BYTEA NOT NULL,
    name TEXT NOT NULL,
    commit_id TEXT,
    parent TEXT,
    branch TEXT,
    on_main BIGINT NOT NULL,
    -- commit or deploy time where told, else when it was first seen
    time_us BIGINT NOT NULL,
    -- whether time_us was told or only seen
    declared BIGINT NOT NULL,
    note TEXT,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, name)
);

-- kind: 1 run, 2 release, 3 UTC day, 4 UTC hour; run_id is 16 zero bytes but for runs, start_us is 0 for runs and releases
CREATE TABLE series_window (
    project_id BYTEA NOT NULL,
    series_id BYTEA NOT NULL,
    kind BIGINT NOT NULL,
    start_us BIGINT NOT NULL,
    release TEXT NOT NULL,
    run_id BYTEA NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    count BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    headline DOUBLE PRECISION,
    p50 DOUBLE PRECISION,
    p50_lower DOUBLE PRECISION,
    p50_upper DOUBLE PRECISION,
    p75 DOUBLE PRECISION,
    p75_lower DOUBLE PRECISION,
    p75_upper DOUBLE PRECISION,
    p99 DOUBLE PRECISION,
    p99_lower DOUBLE PRECISION,
    p99_upper DOUBLE PRECISION,
    body BYTEA NOT NULL,
    PRIMARY KEY (project_id, series_id, kind, start_us, release, run_id)
);

-- reports of page views whose last word may still come
CREATE TABLE pending (
    project_id BYTEA NOT NULL,
    report_id BYTEA NOT NULL,
    series_id BYTEA NOT NULL,
    release TEXT NOT NULL,
    stratum TEXT NOT NULL,
    value BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    closed_us BIGINT,
    PRIMARY KEY (project_id, report_id)
);
CREATE INDEX pending_open ON pending (project_id, last_us) WHERE closed_us IS NULL;
CREATE INDEX pending_of_series ON pending (project_id, series_id) WHERE closed_us IS NULL;

CREATE TABLE epoch (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    flow TEXT NOT NULL,
    source TEXT,
    at_us BIGINT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, id)
);

CREATE TABLE policy (
    project_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    toml TEXT NOT NULL,
    applied_us BIGINT NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (project_id, version)
);

CREATE TABLE finding (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    series_id BYTEA NOT NULL,
    identity TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    flow TEXT NOT NULL,
    owner TEXT,
    assignee TEXT,
    onset_us BIGINT NOT NULL,
    detected_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    snoozed_until_us BIGINT,
    closed_us BIGINT,
    -- the size that was last told to the owner, in per cent
    told_pct DOUBLE PRECISION,
    evidence TEXT NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, identity)
);
CREATE INDEX finding_of_series ON finding (project_id, series_id);

CREATE TABLE finding_event (
    project_id BYTEA NOT NULL,
    finding_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    at_us BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (project_id, finding_id, id)
);

CREATE TABLE delivery (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    finding_id BYTEA NOT NULL,
    route TEXT NOT NULL,
    event TEXT NOT NULL,
    message TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    due_us BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    lease_owner TEXT,
    lease_until_us BIGINT NOT NULL,
    sent_us BIGINT,
    dead_us BIGINT,
    last_error TEXT,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX delivery_due ON delivery (due_us) WHERE sent_us IS NULL AND dead_us IS NULL;
CREATE INDEX delivery_of_finding ON delivery (project_id, finding_id);

CREATE TABLE lease (
    project_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    until_us BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    PRIMARY KEY (project_id, kind)
);

CREATE TABLE verdict (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    gate TEXT NOT NULL,
    release TEXT NOT NULL,
    evidence_sha256 BYTEA NOT NULL,
    verdict TEXT NOT NULL,
    body TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, gate, release, evidence_sha256)
);
CREATE INDEX verdict_by_time ON verdict (project_id, created_us);

-- what was deliberately not stored, by reason and UTC day
CREATE TABLE dropped_count (
    project_id BYTEA NOT NULL,
    day_us BIGINT NOT NULL,
    reason TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (project_id, day_us, reason)
);

CREATE TABLE audit (
    project_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    at_us BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (project_id, id)
);
