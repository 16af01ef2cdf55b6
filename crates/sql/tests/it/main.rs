//! Queries of a small shop, from text to problems, plans and dependencies.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod broken;
mod cases;
mod dependency;
mod deterministic;
mod normal_form;
mod oracle;
mod problems;
mod random;
mod run;
mod shop;
