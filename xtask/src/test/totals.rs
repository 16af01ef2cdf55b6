//! Adds up what the test runners say in their closing lines.

use std::fmt;

/// How many tests ended how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, passed: u64, failed: u64, skipped: u64) {
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
    }

    /// Takes a line of a runner's output; lines that are not closing lines add nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim();
        let Some(counts) = line
            .strip_prefix("Summary [")
            .and_then(|l| l.split_once("run: "))
            .or_else(|| {
                line.strip_prefix("test result: ")
                    .and_then(|l| l.split_once(". "))
            })
            .map(|(_, counts)| counts)
        else {
            return;
        };
        for part in counts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" | "timed" | "exec" => self.failed += count,
                "skipped" | "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tests: {} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> String {
        let mut totals = Totals::default();
        lines.iter().for_each(|l| totals.read(l));
        totals.to_string()
    }

    #[test]
    fn nextest_and_cargo_test_add_up() {
        let told = read(&[
            "        PASS [   0.010s] mainstay-base clock::tests::ticks",
            "     Summary [  12.310s] 345 tests run: 342 passed (3 slow), 1 failed, 2 timed out, 4 skipped",
            "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
        ]);
        assert_eq!(told, "tests: 349 passed, 3 failed, 5 skipped");
    }

    #[test]
    fn other_lines_add_nothing() {
        assert_eq!(
            read(&["3 passed", "Summary of the matter", ""]),
            "tests: 0 passed, 0 failed, 0 skipped"
        );
    }
}
