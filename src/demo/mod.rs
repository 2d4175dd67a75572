//! The demonstration shop: nine months of a small shop, deterministic from a seed.
