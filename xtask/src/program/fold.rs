//! Folds the lines that cargo prints for each crate into one, so that a log shows what a person wants to see.

use std::time::Instant;

const NOISE: [&str; 8] = [
    "Compiling ",
    "Checking ",
    "Documenting ",
    "Downloaded ",
    "Downloading ",
    "Fresh ",
    "Adding ",
    "Scraping ",
];

/// What `cargo test` says of a crate that has no such tests.
const EMPTY: [&str; 2] = [
    "running 0 tests",
    "test result: ok. 0 passed; 0 failed; 0 ignored",
];

/// Counts the noise since the last line that was shown.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    run: Option<Run>,
    /// The last line shown was empty.
    blank: bool,
}

#[derive(Debug)]
struct Run {
    first: Instant,
    count: usize,
    last: String,
}

impl Fold {
    /// Returns what to print for this line: nothing, the line, or the fold before it and the line.
    pub(crate) fn accept(&mut self, line: &str) -> Vec<String> {
        let text = line.trim_start();
        if text.len() < line.len() && NOISE.iter().any(|n| text.starts_with(n)) {
            let run = self.run.get_or_insert_with(|| Run {
                first: Instant::now(),
                count: 0,
                last: String::new(),
            });
            run.count += 1;
            run.last = text.split(" (").next().unwrap_or(text).to_owned();
            return Vec::new();
        }
        if EMPTY.iter().any(|e| text.starts_with(e)) {
            return Vec::new();
        }
        if text.is_empty() && std::mem::replace(&mut self.blank, true) {
            return Vec::new();
        }
        self.blank = text.is_empty();
        let mut shown = self.finish();
        shown.push(line.to_owned());
        shown
    }

    /// Returns what is still folded.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        let Some(run) = self.run.take() else {
            return Vec::new();
        };
        if run.count == 1 {
            return vec![format!("   {}", run.last)];
        }
        let elapsed = crate::screen::duration(run.first.elapsed());
        vec![format!(
            "   … {} crates in {elapsed}, the last: {}",
            run.count, run.last
        )]
    }

    /// Says where the folded work is.
    pub(crate) fn so_far(&self) -> String {
        self.run.as_ref().map_or_else(String::new, |run| {
            format!(", {} crates, now {}", run.count, run.last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_crates_becomes_one_line() {
        let mut fold = Fold::default();
        assert!(fold.accept("   Compiling a v1.0.0").is_empty());
        assert!(fold.accept("   Compiling b v1.0.0 (/some/where)").is_empty());
        assert_eq!(fold.so_far(), ", 2 crates, now Compiling b v1.0.0");
        let shown = fold.accept("error: no");
        assert_eq!(shown.len(), 2);
        assert!(
            shown[0].starts_with("   … 2 crates in ") && shown[0].ends_with("the last: Compiling b v1.0.0"),
            "{shown:?}"
        );
        assert_eq!(shown[1], "error: no");
        assert!(fold.finish().is_empty());
    }

    #[test]
    fn empty_results_and_doubled_blanks_are_left_out() {
        let mut fold = Fold::default();
        let result =
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let lines = [
            "a",
            "",
            "running 0 tests",
            "",
            result,
            "",
            "test result: ok. 1 passed; 0 failed; 0 ignored",
        ];
        let shown: Vec<String> = lines.iter().flat_map(|l| fold.accept(l)).collect();
        assert_eq!(shown, ["a", "", lines[6]]);
    }

    #[test]
    fn a_programs_own_words_are_kept() {
        let mut fold = Fold::default();
        assert_eq!(
            fold.accept("Compiling is fun"),
            vec!["Compiling is fun".to_owned()]
        );
    }
}
