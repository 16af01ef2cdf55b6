//! When triggers fire: at clock times, or when something that happened is like a pattern.
//!
//! Pure: it computes from texts, moments and JSON, and knows neither what a trigger sets off nor what has fired before. Nothing
//! here reads a clock.

mod clock;
mod pattern;

pub use clock::{BadClock, ClockTimes};
pub use pattern::{BadPattern, Pattern};
