//! The engine on local folders: what runs yield, refuse, survive and leave behind.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose set-up fails can only end"
)]

mod checks;
mod determinism;
mod failures;
mod limits;
mod query;
mod run;
mod support;
mod whole;
