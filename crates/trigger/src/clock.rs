//! Clock times: a cron expression in a time zone, without the days of a calendar.
//!
//! Local time has days of 23 and 25 hours. A time that the clock skips fires once, when the clock is past it; a time that the
//! clock shows twice fires once, the first time; what fires every hour or more often fires in every hour that passes. That is
//! what cron(8) has done since Vixie's of 1993, and what `croner` computes.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, TimeZone};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use mainstay_base::Timestamp;

/// What is wrong with clock times as written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadClock {
    /// The expression is none.
    #[error("`{text}` is not a cron expression: {because}")]
    Expression {
        /// As written.
        text: String,
        /// What `croner` says.
        because: String,
    },
    /// There is no such time zone.
    #[error("`{0}` is not a time zone")]
    Zone(String),
    /// A day is none.
    #[error("`{0}` is not a day like 2026-12-25")]
    Day(String),
    /// It names no time at all, like the 30th of February.
    #[error("`{0}` names no time that ever comes")]
    Never(String),
}

/// When a clock fires.
#[derive(Clone, Debug)]
pub struct ClockTimes {
    cron: Cron,
    zone: Tz,
    skipped: BTreeSet<NaiveDate>,
}

impl ClockTimes {
    /// How many skipped times in a row are looked at before none is said to come: some years of a daily time.
    const SKIPS: usize = 4_000;

    /// Reads a cron expression of five fields, the IANA name of a time zone (UTC if none), and the days on which it does not
    /// fire, in that zone.
    ///
    /// # Errors
    ///
    /// [`BadClock`] says which of them is wrong.
    pub fn new(expression: &str, zone: Option<&str>, skip: &[String]) -> Result<Self, BadClock> {
        let bad = |because: String| BadClock::Expression {
            text: expression.to_owned(),
            because,
        };
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(expression)
            .map_err(|e| bad(in_words(&e.to_string())))?;
        let zone = zone.map_or(Ok(Tz::UTC), |z| {
            Tz::from_str(z).map_err(|_| BadClock::Zone(z.to_owned()))
        })?;
        let day = |d: &String| {
            let parsed = NaiveDate::parse_from_str(d, "%Y-%m-%d");
            parsed.map_err(|_| BadClock::Day(d.clone()))
        };
        let skipped = skip.iter().map(day).collect::<Result<_, _>>()?;
        let times = Self { cron, zone, skipped };
        match times.after(Timestamp::from_micros(0)) {
            Some(_) => Ok(times),
            None => Err(BadClock::Never(expression.to_owned())),
        }
    }

    /// Returns the first time after a moment; none if none comes.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut at = self.local(moment)?;
        for _ in 0..Self::SKIPS {
            at = self.cron.find_next_occurrence(&at, false).ok()?;
            if !self.skipped.contains(&at.date_naive()) {
                return Some(Timestamp::from_micros(at.timestamp_micros()));
            }
        }
        None
    }

    /// Returns the times after a moment up to another, that one included, the oldest first, and at most so many of them: the
    /// newest. The second number says how many there were, counted up to a million.
    pub fn between(&self, after: Timestamp, until: Timestamp, most: usize) -> (Vec<Timestamp>, u64) {
        let mut times = std::collections::VecDeque::new();
        let mut at = after;
        let mut count = 0;
        while let Some(next) = self.after(at).filter(|next| *next <= until && count < 1_000_000) {
            count += 1;
            times.push_back(next);
            if times.len() > most {
                times.pop_front();
            }
            at = next;
        }
        (times.into(), count)
    }

    /// Says when a moment is where the clock hangs: `2026-03-29 03:00 +02:00`.
    pub fn shown(&self, moment: Timestamp) -> String {
        self.local(moment).map_or_else(
            || moment.to_string(),
            |t| t.format("%Y-%m-%d %H:%M %:z").to_string(),
        )
    }

    fn local(&self, moment: Timestamp) -> Option<DateTime<Tz>> {
        self.zone.timestamp_micros(moment.as_micros()).single()
    }
}

/// What `croner` says, without the name of its part and as the end of a sentence.
fn in_words(said: &str) -> String {
    let said = said.rsplit(": ").next().unwrap_or(said).trim_end_matches('.');
    let mut chars = said.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn times(expression: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
        let clock = ClockTimes::new(expression, Some(zone), &[]).expect("a clock");
        let (found, count) = clock.between(moment(from), moment(until), 100);
        assert_eq!(found.len() as u64, count);
        found.into_iter().map(|t| clock.shown(t)).collect()
    }

    #[test]
    fn a_time_that_the_clock_skips_fires_once() {
        let found = times(
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            "2026-03-09T12:00:00Z",
        );
        assert_eq!(found, ["2026-03-08 03:00 -04:00", "2026-03-09 02:30 -04:00"]);
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_fires_once() {
        let found = times(
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            "2026-11-02T12:00:00Z",
        );
        assert_eq!(found, ["2026-11-01 01:30 -04:00", "2026-11-02 01:30 -05:00"]);
    }

    #[test]
    fn every_hour_that_passes_is_one() {
        let long = times(
            "0 * * * *",
            "Europe/Berlin",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        );
        assert_eq!(long.len(), 25, "{long:?}");
        let short = times(
            "0 * * * *",
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        );
        assert_eq!(short.len(), 23, "{short:?}");
    }

    #[test]
    fn days_of_a_calendar_are_left_out() {
        let skip = ["2026-12-25".to_owned(), "2026-12-26".to_owned()];
        let clock = ClockTimes::new("0 6 * * *", Some("Europe/Berlin"), &skip).expect("a clock");
        let next = clock.after(moment("2026-12-24T06:00:00Z")).expect("a time");
        assert_eq!(clock.shown(next), "2026-12-27 06:00 +01:00");
    }

    #[test]
    fn of_many_times_the_newest_are_told_and_all_are_counted() {
        let clock = ClockTimes::new("* * * * *", None, &[]).expect("a clock");
        let (found, count) = clock.between(moment("2026-01-01T00:00:00Z"), moment("2026-01-02T00:00:00Z"), 2);
        assert_eq!(count, 1440);
        let shown: Vec<_> = found.iter().map(|t| clock.shown(*t)).collect();
        assert_eq!(shown, ["2026-01-01 23:59 +00:00", "2026-01-02 00:00 +00:00"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |expression: &str, zone: &str, skip: &[String]| {
            ClockTimes::new(expression, Some(zone), skip)
                .expect_err("wrong")
                .to_string()
        };
        assert!(said("61 * * * *", "UTC", &[]).starts_with("`61 * * * *` is not a cron expression: "));
        assert!(said("0 0 * * * *", "UTC", &[]).starts_with("`0 0 * * * *` is not a cron expression: "));
        assert_eq!(
            said("0 0 * * *", "Mars/Base", &[]),
            "`Mars/Base` is not a time zone"
        );
        assert_eq!(
            said("0 0 * * *", "UTC", &["tomorrow".to_owned()]),
            "`tomorrow` is not a day like 2026-12-25"
        );
        assert_eq!(
            said("0 0 30 2 *", "UTC", &[]),
            "`0 0 30 2 *` names no time that ever comes"
        );
    }
}
