-- How often each instance has changed a project's series, runs, releases, epochs or configuration: readers remember what
-- they read of them and read it again only when one of these rows has changed.
CREATE TABLE record_version (
    project_id BLOB NOT NULL,
    instance_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (project_id, instance_id)
) STRICT, WITHOUT ROWID;
