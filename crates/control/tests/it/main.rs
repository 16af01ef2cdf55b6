//! The state machine from outside: commands in, facts folded, state looked at.

#![expect(clippy::expect_used, reason = "a test whose set-up fails can only end")]

mod deliveries;
mod fold;
mod projects;
mod runs;
mod snapshots;
mod world;
