//! Storage: one narrow seam over SQLite and PostgreSQL. All SQL stands below this module.
