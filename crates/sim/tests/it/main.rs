//! The real binary, as a user has it.

mod bad_input;
mod cancel;
mod delta;
mod journal;
mod projects;
mod queries;
mod shop;
