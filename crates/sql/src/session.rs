//! The settings with which SQL is planned, the same for checking a query and for executing it.
//!
//! What is set here is part of what a query means: whoever plans with other settings may get other answers.

use std::sync::OnceLock;

use datafusion::config::ConfigOptions;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

/// Returns the settings of planning: the generic dialect (PostgreSQL's casts, DuckDB's `QUALIFY`, `EXCLUDE` and lists are in
/// it), identifiers lower-cased unless quoted, number literals with a point as doubles, NULLs last when ascending, the time
/// zone UTC, SQL's string types as views; a failing optimiser rule is an error. Settings of execution may be added.
pub fn session_config() -> SessionConfig {
    let mut config = ConfigOptions::new();
    config.sql_parser.collect_spans = true;
    config.sql_parser.map_string_types_to_utf8view = true;
    config.sql_parser.default_null_ordering = "nulls_max".to_owned();
    config.execution.time_zone = Some("UTC".to_owned());
    config.optimizer.skip_failed_rules = false;
    SessionConfig::from(config)
}

/// Returns a session with these settings and the functions that queries may use.
pub fn state_builder() -> SessionStateBuilder {
    SessionStateBuilder::new_with_default_features().with_config(session_config())
}

/// The session with which this crate plans. No query is ever started in it, so it has no present time: what its optimiser
/// finds is true at any time.
pub(crate) fn state() -> &'static SessionState {
    static STATE: OnceLock<SessionState> = OnceLock::new();
    STATE.get_or_init(|| state_builder().build())
}
