-- How often each instance has changed a project's series, runs, releases, epochs or configuration: readers remember what
-- they read of them and read it again only when one of these rows has changed.
CREATE TABLE record_version (
    project_id BYTEA NOT NULL,
    instance_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    PRIMARY KEY (project_id, instance_id)
);
