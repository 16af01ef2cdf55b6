//! placeholder

pub mod exact;
