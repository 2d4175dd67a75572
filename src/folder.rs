//! Merges journal rows into stored windows.
