//! Stores as their users see them: folders, faults, servers that answer and servers that do not.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot be set up fails, and one that is not run says so"
)]

mod folder;
mod server;
mod servers;
