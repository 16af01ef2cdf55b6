//! Files as they are delivered, taken in through the public interface and staged as Parquet.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod damage;
mod desk;
mod errors;
mod formats;
mod policies;
mod round_trips;
mod slicing;
mod watching;
