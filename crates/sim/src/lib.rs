//! Tests of the whole: the real binary in a sealed sandbox.
//!
//! [`Sandbox`] is a folder with a project and an environment of its own; nothing of the machine's environment reaches the
//! binary but what a test gives it. The tests themselves are in `tests/`.

mod history;
mod sandbox;

pub use history::lengthen;
pub use sandbox::{Outcome, Running, Sandbox, binary, python};
