//! Tables as others see them: staged, projected, checkpointed, cleaned up; on a folder and on a real server; read by the
//! Python package `deltalake`.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot be set up fails, and one that is not run says so"
)]

mod readers;
#[path = "../../../storage/tests/it/server.rs"]
mod server;
mod staging;
mod table;
