//! What a system got right and wrong, beside a full recomputation by DuckDB.

use std::fmt;

use serde_json::{Value, json};

use super::super::figure::{Figure, Wanted};
use super::system::System;
use super::{Place, Step};
use crate::failure::{Context as _, Failure, Outcome};

/// How one system's tables differ from what they should be.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    system: String,
    after: &'static str,
    rows: u64,
    wrong: Vec<Wrong>,
}

/// A table with rows that are not as they should be.
#[derive(Debug, PartialEq)]
struct Wrong {
    table: String,
    rows: u64,
    /// The slices that these rows are in, as text, in order.
    places: Vec<String>,
}

impl Verdict {
    /// Compares the system's tables as they are after the step.
    pub(super) fn of(system: &dyn System, place: &Place<'_>, step: Step) -> Outcome<Self> {
        let tables = system.tables();
        let words = [
            place.data.as_os_str(),
            if step == Step::Job { "1" } else { "0" }.as_ref(),
            system.kind().as_ref(),
            tables.as_os_str(),
        ];
        let told = place.flights.tell("check", &words)?;
        let document = serde_json::from_str(&told).context("flights.py check")?;
        let after = match step {
            Step::Job => "after the changed job",
            _ => "after the correction",
        };
        Self::read(system.name(), after, &document)
    }

    fn read(system: String, after: &'static str, document: &Value) -> Outcome<Self> {
        let strange = || Failure::new("flights.py check told something of an unknown shape");
        let mut wrong = Vec::new();
        let mut all = 0;
        for (table, told) in document.as_object().ok_or_else(strange)? {
            let number = |key: &str| told[key].as_u64().ok_or_else(strange);
            let places = told["places"].as_array().ok_or_else(strange)?;
            all += number("rows")?;
            let rows = number("missing")?.max(number("extra")?);
            if rows > 0 {
                wrong.push(Wrong {
                    table: table.clone(),
                    rows,
                    places: places
                        .iter()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect(),
                });
            }
        }
        if all == 0 {
            return Err(strange());
        }
        Ok(Self {
            system,
            after,
            rows: all,
            wrong,
        })
    }

    /// The wrong rows of all tables; of mainstay none are wanted.
    pub(super) fn figure(&self, scale: usize) -> Outcome<Figure> {
        let rows: u64 = self.wrong.iter().map(|w| w.rows).sum();
        let figure = Figure::read(&format!("{scale}× flights, {self}"), "rows wrong", &json!(rows))?;
        Ok(match self.system.as_str() {
            "mainstay" => figure.wanted(Wanted::AtMost(0.0)),
            _ => figure,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: ", self.system, self.after)?;
        if self.wrong.is_empty() {
            return write!(f, "all {} rows are right", self.rows);
        }
        for (at, wrong) in self.wrong.iter().enumerate() {
            let comma = if at > 0 { "; " } else { "" };
            let Wrong { table, rows, places } = wrong;
            write!(f, "{comma}`{table}` is wrong in {rows} rows")?;
            if let [first, .., last] = places.as_slice() {
                write!(f, " ({first} to {last})")?;
            } else if let [only] = places.as_slice() {
                write!(f, " ({only})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(missing: u64, extra: u64, places: &[&str]) -> Outcome<Verdict> {
        let document = json!({
            "departures": {"rows": 90, "missing": 0, "extra": 0, "places": []},
            "week_delays": {"rows": 10, "missing": missing, "extra": extra, "places": places},
        });
        Verdict::read("mainstay".to_owned(), "after the correction", &document)
    }

    #[test]
    fn wrong_rows_are_counted_and_placed() {
        let wrong = read(6, 5, &["2013-01-10", "2013-01-12", "2013-01-15"]).unwrap();
        assert_eq!(
            wrong.to_string(),
            "mainstay, after the correction: `week_delays` is wrong in 6 rows (2013-01-10 to 2013-01-15)"
        );
        let figure = wrong.figure(10).unwrap();
        assert_eq!((figure.median, figure.wanted), (6.0, Some(Wanted::AtMost(0.0))));
        assert!(figure.cells()[4].ends_with("falls short"));
    }

    #[test]
    fn tables_that_are_right_are_said_to_be() {
        let right = read(0, 0, &[]).unwrap();
        assert_eq!(
            right.to_string(),
            "mainstay, after the correction: all 100 rows are right"
        );
        assert_eq!(right.figure(1).unwrap().median, 0.0);
        assert!(Verdict::read(String::new(), "", &json!({})).is_err());
    }
}
