//! The real binary, as a user has it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test whose set-up fails can only end, and a skip is said aloud"
)]

mod amend;
mod backup;
mod bad_input;
mod branches;
mod buckets;
mod cancel;
mod corrections;
mod delta;
mod doctor;
mod elsewhere;
mod journal;
mod projects;
mod prove;
mod queries;
mod redelivery;
mod rereading;
mod retain;
mod reuse;
mod service;
mod shop;
mod slices;
mod standby;
mod why;
