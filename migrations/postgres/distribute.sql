-- Spreads the tables over the workers of a Citus cluster (13 or newer) by project.
--
-- It is no migration: the operator runs it, on the coordinator, once after `longwatch migrate` and again after every
-- upgrade, since a new table is not spread by itself. What is spread already is left as it is.
--
--     psql --set ON_ERROR_STOP=1 --file migrations/postgres/distribute.sql "$LONGWATCH_DATABASE"
--
-- Statements commit one by one. If one fails, mend the cause and run the file again. Instances may serve meanwhile, but
-- the first run over a database that holds data blocks writes to each table while its rows are moved.
-- All instances connect to the coordinator. `_sqlx_migrations`, the list of what was migrated, stays there.

-- How many shards the tables are cut into, the most workers that can share them: two to four for each processor core
-- that the workers are to have one day. It holds for the first run only.
SET citus.shard_count = 128;

-- What is looked up before the project is known, and has names that are unique among all projects: on every node.
SELECT create_reference_table('project') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'project'::regclass);
SELECT create_reference_table('access_token') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'access_token'::regclass);
SELECT create_reference_table('account') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'account'::regclass);
SELECT create_reference_table('session') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'session'::regclass);
SELECT create_reference_table('enrolment') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'enrolment'::regclass);

-- What belongs to a project: all of it on one worker, so that a transaction on one project stays there.
SELECT create_distributed_table('journal', 'project_id', colocate_with => 'none') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'journal'::regclass);
SELECT create_distributed_table('idempotency', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'idempotency'::regclass);
SELECT create_distributed_table('batch', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'batch'::regclass);
SELECT create_distributed_table('series', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'series'::regclass);
SELECT create_distributed_table('series_state', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'series_state'::regclass);
SELECT create_distributed_table('run', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'run'::regclass);
SELECT create_distributed_table('release', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'release'::regclass);
SELECT create_distributed_table('series_window', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'series_window'::regclass);
SELECT create_distributed_table('pending', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'pending'::regclass);
SELECT create_distributed_table('open_bucket', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'open_bucket'::regclass);
SELECT create_distributed_table('open_report', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'open_report'::regclass);
SELECT create_distributed_table('closed_report', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'closed_report'::regclass);
SELECT create_distributed_table('record_version', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'record_version'::regclass);
SELECT create_distributed_table('deletion', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'deletion'::regclass);
SELECT create_distributed_table('deletion_journal', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'deletion_journal'::regclass);
SELECT create_distributed_table('epoch', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'epoch'::regclass);
SELECT create_distributed_table('policy', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'policy'::regclass);
SELECT create_distributed_table('finding', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'finding'::regclass);
SELECT create_distributed_table('finding_event', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'finding_event'::regclass);
SELECT create_distributed_table('delivery', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'delivery'::regclass);
SELECT create_distributed_table('lease', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'lease'::regclass);
SELECT create_distributed_table('verdict', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'verdict'::regclass);
SELECT create_distributed_table('dropped_count', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'dropped_count'::regclass);
SELECT create_distributed_table('audit', 'project_id', colocate_with => 'journal') WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'audit'::regclass);
