//! What a project declares in its `longwatch.toml`: flows, owners, budgets, gates, waivers, routes.
