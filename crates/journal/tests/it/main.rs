//! The journal from outside, on every store.

mod checkpoints;
mod conformance;
mod opening;
mod place;
mod reading;
mod tampering;
