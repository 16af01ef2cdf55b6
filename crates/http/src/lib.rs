//! The service: HTTP/JSON in front of what the commands do, and the client of it.
//!
//! Owns how requests come in, who asks, and how answers and problems go out: sockets, TLS, tokens, limits, idempotency, the
//! description of every route. It decides nothing about data or resources and knows no SQL: every route calls one method of
//! [`mainstay_server::Instance`]. Every request has an identity and is decided at one place (`guard`); every change is recorded
//! with its decision before it is made, and with its answer after.

mod answer;
mod app;
mod body;
mod caller;
pub mod client;
mod clock;
mod guard;
mod identity;
mod limits;
mod lineage;
mod listen;
mod metrics;
mod operation;
mod outbox;
mod page;
mod plain;
mod problem;
mod routes;
mod serve;
mod socket;
mod sse;
mod standby;
mod tls;

pub use identity::new_token;
pub use limits::Limits;
pub use routes::openapi;
pub use serve::{Announced, Event, ServeOptions, serve};
pub use socket::path as socket_path;
pub use standby::Said;
pub use tls::authority;
