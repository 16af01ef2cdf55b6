//! The engine on local folders: what runs yield, refuse, survive and leave behind.

mod checks;
mod determinism;
mod failures;
mod limits;
mod query;
mod run;
mod support;
