//! Delivers findings to their owners.
