//! The state machine from outside: commands in, facts folded, state looked at.

mod deliveries;
mod fold;
mod projects;
mod runs;
mod world;
