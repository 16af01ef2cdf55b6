//! A measured figure: the least, the middle and the most of its rounds, perhaps a ratio to something and what is wanted of it.

use serde_json::Value;

use crate::failure::{Failure, Outcome};

/// What is wanted of a figure's middle, or of its ratio's where it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
    pub(super) ratio: Option<f64>,
    pub(super) wanted: Option<Wanted>,
}

impl Figure {
    /// Reads a spread `{min, median, max}`, or a plain number.
    pub(super) fn read(name: &str, unit: &str, spread: &Value) -> Outcome<Self> {
        let part = |key: &str| spread.get(key).unwrap_or(spread).as_f64();
        let (Some(min), Some(median), Some(max)) = (part("min"), part("median"), part("max")) else {
            return Err(Failure::new(format!("the benchmark told no figure for `{name}`")));
        };
        Ok(Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            min,
            median,
            max,
            ratio: None,
            wanted: None,
        })
    }

    /// Makes a figure of its rounds.
    pub(super) fn of(name: &str, unit: &str, rounds: &[f64]) -> Outcome<Self> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.get(sorted.len() / 2).copied();
        let spread = serde_json::json!({"min": sorted.first(), "median": middle, "max": sorted.last()});
        Self::read(name, unit, &spread)
    }

    pub(super) fn ratio(mut self, ratio: &Value) -> Self {
        self.ratio = ratio.get("median").unwrap_or(ratio).as_f64();
        self
    }

    pub(super) fn wanted(mut self, wanted: Wanted) -> Self {
        self.wanted = Some(wanted);
        self
    }

    /// The cells after the name.
    pub(super) fn cells(&self) -> [String; 5] {
        let value = |v: f64| format!("{} {}", number(v), self.unit).trim_end().to_owned();
        let ratio = self.ratio.map_or_else(String::new, |r| format!("{r:.2}"));
        [
            value(self.min),
            value(self.median),
            value(self.max),
            ratio,
            self.verdict(),
        ]
    }

    fn verdict(&self) -> String {
        let (value, unit) = match self.ratio {
            Some(ratio) => (ratio, ""),
            None => (self.median, self.unit.as_str()),
        };
        let (met, sign, limit) = match self.wanted {
            None => return String::new(),
            Some(Wanted::AtLeast(limit)) => (value >= limit, "≥", limit),
            Some(Wanted::AtMost(limit)) => (value <= limit, "≤", limit),
        };
        let limit = format!("{sign} {} {unit}", number(limit));
        format!(
            "{}: {}",
            limit.trim_end(),
            if met { "met" } else { "falls short" }
        )
    }
}

/// Reads the shape that a benchmark without a file of its own prints: `{"figures": [{name, unit, min, median, max, ratio?,
/// at_least?, at_most?}]}`.
pub(super) fn list(document: &Value) -> Outcome<Vec<Figure>> {
    let list = document["figures"]
        .as_array()
        .ok_or_else(|| Failure::new("the benchmark printed no `figures`"))?;
    list.iter().map(one).collect()
}

fn one(value: &Value) -> Outcome<Figure> {
    let mut figure = Figure::read(
        value["name"].as_str().unwrap_or("?"),
        value["unit"].as_str().unwrap_or(""),
        value,
    )?;
    figure.ratio = value["ratio"].get("median").unwrap_or(&value["ratio"]).as_f64();
    let limits = (value["at_least"].as_f64(), value["at_most"].as_f64());
    figure.wanted = match limits {
        (Some(limit), _) => Some(Wanted::AtLeast(limit)),
        (None, Some(limit)) => Some(Wanted::AtMost(limit)),
        (None, None) => None,
    };
    Ok(figure)
}

/// The table for the terminal.
pub(super) fn rows(figures: &[Figure]) -> Vec<Vec<String>> {
    let head = ["figure", "min", "median", "max", "ratio", "wanted"]
        .map(str::to_owned)
        .to_vec();
    let row = |f: &Figure| std::iter::once(f.name.clone()).chain(f.cells()).collect();
    std::iter::once(head).chain(figures.iter().map(row)).collect()
}

/// Three significant digits or the whole number, with thousands apart.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), ""), |(w, r)| (w, r.trim_end_matches('0')));
    let mut apart = String::new();
    for (at, c) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 && !apart.ends_with('-') {
            apart.push(',');
        }
        apart.push(c);
    }
    if rest.is_empty() {
        apart
    } else {
        format!("{apart}.{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_read_well() {
        let cases = [
            (121_000.4, "121,000"),
            (1_234_567.0, "1,234,567"),
            (999.6, "1,000"),
            (12.34, "12.3"),
            (1.5, "1.5"),
        ];
        for (value, text) in cases
            .into_iter()
            .chain([(0.8, "0.8"), (0.0, "0"), (-4500.0, "-4,500")])
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn what_is_wanted_is_judged_by_the_ratio_if_there_is_one() {
        let figure = Figure::read("append", "facts/s", &json!({"min": 1, "median": 2, "max": 3})).unwrap();
        assert_eq!(figure.cells()[4], "");
        let short = figure.clone().wanted(Wanted::AtLeast(5.0));
        assert_eq!(
            short.cells(),
            [
                "1 facts/s",
                "2 facts/s",
                "3 facts/s",
                "",
                "≥ 5 facts/s: falls short"
            ]
        );
        let met = figure
            .ratio(&json!({"median": 0.91}))
            .wanted(Wanted::AtLeast(0.8));
        assert_eq!(met.cells()[3..], ["0.91", "≥ 0.8: met"]);
    }

    #[test]
    fn a_list_of_figures_is_read() {
        let printed = json!({"figures": [
            {"name": "sum of 22", "unit": "s", "min": 9, "median": 10, "max": 12, "ratio": 1.2, "at_most": 1.1},
        ]});
        let read = list(&printed).unwrap();
        assert_eq!(read[0].cells()[3..], ["1.20", "≤ 1.1: falls short"]);
        assert!(list(&json!({})).is_err());
        assert!(list(&json!({"figures": [{"name": "x"}]})).is_err());
    }

    #[test]
    fn rounds_have_a_middle() {
        let figure = Figure::of("demo", "s", &[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((figure.min, figure.median, figure.max), (1.0, 2.0, 3.0));
        assert!(Figure::of("demo", "s", &[]).is_err());
    }
}
