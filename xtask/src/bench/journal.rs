//! The journal: durable appends beside SQLite alone, latency, reading, and opening a large one.

use serde_json::Value;

use super::figure::{Figure, Wanted};
use super::{Bench, Setting};
use crate::failure::Outcome;

pub(super) const BENCH: Bench = Bench {
    name: "journal",
    measure,
};

/// How many facts the large journal has.
const LARGE: &str = "10000000";

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let run = |arguments: &[&str]| setting.example("mainstay-journal", "bench", arguments, true);
    figures(&run(&[])?, &run(&["--open", LARGE])?)
}

fn figures(work: &Value, opening: &Value) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for appends in work["appends"].as_array().into_iter().flatten() {
        let group = &appends["group"];
        let name = format!("durable appends in groups of {group}, ratio to SQLite alone");
        let figure = Figure::read(&name, "facts/s", &appends["journal_facts_per_s"])?;
        figures.push(figure.ratio(&appends["share"]).wanted(Wanted::AtLeast(0.8)));
        figures.push(Figure::read(
            &format!("SQLite alone in groups of {group}"),
            "facts/s",
            &appends["sqlite_facts_per_s"],
        )?);
    }
    let latency = &work["latency"];
    let tail = Figure::read(
        "one frame at a tenth of that load, 99th percentile",
        "ms",
        &latency["journal"]["p99_ms"],
    )?;
    figures.push(tail.wanted(Wanted::AtMost(5.0)));
    figures.push(Figure::read(
        "SQLite alone at that load, 99th percentile",
        "ms",
        &latency["sqlite"]["p99_ms"],
    )?);
    let reading = &work["reading"];
    figures.push(Figure::read("verify", "facts/s", &reading["verify_facts_per_s"])?);
    figures.push(Figure::read("read", "facts/s", &reading["read_facts_per_s"])?);
    figures.push(Figure::read("prove one fact", "ms", &reading["prove_ms"])?);
    figures.push(
        Figure::read("open 10 million facts", "ms", &opening["open_ms"])?.wanted(Wanted::AtMost(1000.0)),
    );
    figures
        .push(Figure::read("memory to open them", "MB", &opening["peak_mb"])?.wanted(Wanted::AtMost(150.0)));
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_benchmark_prints_becomes_figures() {
        let spread = json!({"min": 1.0, "median": 2.0, "max": 3.0});
        let work = json!({
            "appends": [{"group": 100, "journal_facts_per_s": spread, "sqlite_facts_per_s": spread, "share": spread}],
            "latency": {"journal": {"p99_ms": spread}, "sqlite": {"p99_ms": spread}},
            "reading": {"verify_facts_per_s": spread, "read_facts_per_s": spread, "prove_ms": spread},
        });
        let opening = json!({"open_ms": spread, "peak_mb": spread});
        let figures = figures(&work, &opening).unwrap();
        assert_eq!(figures.len(), 9);
        assert_eq!(figures[0].ratio, Some(2.0));
        assert!(super::figures(&work, &json!({})).is_err());
    }
}
