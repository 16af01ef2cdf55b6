//! The page of measured performance: rows are added below a benchmark's marker and never changed.

use super::figure::Figure;
use super::machine::Machine;
use crate::failure::{Failure, Outcome};
use crate::markdown;

pub(super) const FILE: &str = "docs/performance.md";

/// Returns the page with the figures as new rows at the end of the benchmark's table, which stands below its marker.
pub(super) fn append(
    page: &str,
    bench: &str,
    machine: &Machine,
    command: &str,
    figures: &[Figure],
) -> Outcome<String> {
    let marker = format!("<!-- rows: {bench} -->");
    let lines: Vec<&str> = page.lines().collect();
    let missing = || Failure::new(format!("{FILE} has no table below `{marker}`"));
    let start = lines.iter().position(|l| *l == marker).ok_or_else(missing)? + 1;
    let length = lines[start..].iter().take_while(|l| l.starts_with('|')).count();
    if length < 2 {
        return Err(missing());
    }
    let rows = figures.iter().map(|figure| {
        let first = [
            machine.date.clone(),
            machine.commit.clone(),
            machine.name.clone(),
            format!("`{command}`"),
        ];
        markdown::row(
            first
                .into_iter()
                .chain([figure.name.clone()])
                .chain(figure.cells()),
        )
    });
    let (above, below) = lines.split_at(start + length);
    let all = above
        .iter()
        .map(|l| (*l).to_owned())
        .chain(rows)
        .chain(below.iter().map(|l| (*l).to_owned()));
    Ok(all.map(|l| l + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;
    use serde_json::json;

    fn machine() -> Machine {
        Machine {
            date: "2026-11-23".to_owned(),
            commit: "abc1234".to_owned(),
            name: "A CPU, 2 cores".to_owned(),
        }
    }

    #[test]
    fn rows_go_to_the_end_of_their_table() {
        let page = "# P\n<!-- rows: a -->\n| x |\n|---|\n| old |\n\n<!-- rows: b -->\n| x |\n|---|\n";
        let figures = [Figure::read("speed", "rows/s", &json!(1234)).unwrap()];
        let appended = append(page, "a", &machine(), "cargo xtask bench a", &figures).unwrap();
        let row = "| 2026-11-23 | abc1234 | A CPU, 2 cores | `cargo xtask bench a` | speed | 1,234 rows/s | 1,234 rows/s \
                   | 1,234 rows/s | | |";
        assert_eq!(appended, page.replace("| old |\n", &format!("| old |\n{row}\n")));
    }

    #[test]
    fn every_benchmark_has_its_table() {
        let page = workspace::text(FILE).unwrap();
        for bench in &super::super::BENCHES {
            assert!(
                append(&page, bench.name, &machine(), "x", &[]).is_ok(),
                "{}",
                bench.name
            );
        }
        assert!(append(&page, "nothing", &machine(), "x", &[]).is_err());
    }
}
