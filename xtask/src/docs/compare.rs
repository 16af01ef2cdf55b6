//! Compares what a document says that a command prints with what it printed.
//!
//! In the document `[..]` stands for any text within a line and a line `...` for any number of lines. Blanks at the ends of
//! lines, and empty lines at the end of the output, do not count.

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Expected, and there: the expectation as written.
    Same(String),
    /// Printed, and covered by a line `...`.
    Any(String),
    /// The line `...` itself.
    Dots,
    /// Expected, and not printed.
    Missing(String),
    /// Printed, and not expected.
    Extra(String),
}

/// A comparison with the fewest lines missing or extra; one that is missing counts twice, so that a line `...` does not take
/// in what was meant for the lines after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) lines: Vec<Line>,
}

const ANY_LINES: &str = "...";
const ANY_TEXT: &str = "[..]";
const MISSING: usize = 2;
const EXTRA: usize = 1;

impl Comparison {
    pub(crate) fn of(expected: &[String], printed: &[String]) -> Self {
        let (expected, printed) = (trimmed(expected), trimmed(printed));
        let cost = costs(&expected, &printed);
        let (mut e, mut p) = (0, 0);
        let mut lines = Vec::new();
        while e < expected.len() || p < printed.len() {
            let here = cost[e][p];
            let below = |e: usize, p: usize| cost.get(e).and_then(|row| row.get(p)).copied();
            if e < expected.len() && expected[e] == ANY_LINES {
                if below(e, p + 1) == Some(here) {
                    lines.push(Line::Any(printed[p].to_owned()));
                    p += 1;
                } else {
                    lines.push(Line::Dots);
                    e += 1;
                }
            } else if e < expected.len()
                && p < printed.len()
                && same(expected[e], printed[p])
                && below(e + 1, p + 1) == Some(here)
            {
                lines.push(Line::Same(expected[e].to_owned()));
                (e, p) = (e + 1, p + 1);
            } else if e < expected.len() && below(e + 1, p).map(|c| c + MISSING) == Some(here) {
                lines.push(Line::Missing(expected[e].to_owned()));
                e += 1;
            } else {
                lines.push(Line::Extra(printed[p].to_owned()));
                p += 1;
            }
        }
        Self { lines }
    }

    pub(crate) fn agrees(&self) -> bool {
        !self
            .lines
            .iter()
            .any(|l| matches!(l, Line::Missing(_) | Line::Extra(_)))
    }

    /// What the document should say: kept where it was right, else as printed.
    pub(crate) fn corrected(&self) -> Vec<String> {
        let kept = self.lines.iter().filter_map(|l| match l {
            Line::Same(text) | Line::Extra(text) => Some(text.clone()),
            Line::Dots => Some(ANY_LINES.to_owned()),
            Line::Any(_) | Line::Missing(_) => None,
        });
        kept.collect()
    }

    /// The comparison as a person reads it; covered lines are left out.
    pub(crate) fn shown(&self) -> Vec<String> {
        let shown = self.lines.iter().filter_map(|l| match l {
            Line::Same(text) => Some(format!("  {text}")),
            Line::Dots => Some(format!("  {ANY_LINES}")),
            Line::Missing(text) => Some(format!("- {text}")),
            Line::Extra(text) => Some(format!("+ {text}")),
            Line::Any(_) => None,
        });
        shown.collect()
    }
}

fn trimmed(lines: &[String]) -> Vec<&str> {
    let lines: Vec<&str> = lines.iter().map(|l| l.trim_end()).collect();
    let end = lines.iter().rposition(|l| !l.is_empty()).map_or(0, |at| at + 1);
    lines[..end].to_vec()
}

/// `costs[e][p]` is the least cost from the expected line `e` and the printed line `p` on.
fn costs(expected: &[&str], printed: &[&str]) -> Vec<Vec<usize>> {
    let mut cost = vec![vec![0; printed.len() + 1]; expected.len() + 1];
    for e in (0..=expected.len()).rev() {
        for p in (0..=printed.len()).rev() {
            let (more_expected, more_printed) = (e < expected.len(), p < printed.len());
            if more_expected && expected[e] == ANY_LINES {
                let over = if more_printed { cost[e][p + 1] } else { usize::MAX };
                cost[e][p] = over.min(cost[e + 1][p]);
                continue;
            }
            let mut best = usize::MAX;
            if more_expected && more_printed && same(expected[e], printed[p]) {
                best = cost[e + 1][p + 1];
            }
            if more_expected {
                best = best.min(cost[e + 1][p] + MISSING);
            }
            if more_printed {
                best = best.min(cost[e][p + 1] + EXTRA);
            }
            cost[e][p] = if more_expected || more_printed { best } else { 0 };
        }
    }
    cost
}

/// Whether a printed line is what the expected one says.
fn same(expected: &str, printed: &str) -> bool {
    let mut parts = expected.split(ANY_TEXT);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn compare(expected: &str, printed: &str) -> Comparison {
        Comparison::of(&lines(expected), &lines(printed))
    }

    #[test]
    fn any_text_within_a_line() {
        let cases = [
            ("run R-[..] took [..] s", "run R-12 took 0.3 s", true),
            ("run R-[..] took [..] s", "run R-12 took 0.3 min", false),
            ("[..]", "", true),
            ("[..]", "anything", true),
            ("a[..]b[..]c", "a1b2b3c", true),
            ("a[..]b[..]c", "abxc", true),
            ("ab[..]bc", "abc", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            ("", "something", false),
        ];
        for (expected, printed, wanted) in cases {
            assert_eq!(
                same(expected, printed),
                wanted,
                "{expected:?} against {printed:?}"
            );
        }
    }

    #[test]
    fn any_number_of_lines() {
        for printed in ["a\nz", "a\nb\nz", "a\nz\nz", "a\nb\nc\nd\nz"] {
            assert!(compare("a\n...\nz", printed).agrees(), "{printed:?}");
        }
        for printed in ["a", "z", "b\na\nz", "a\nz\nb"] {
            assert!(!compare("a\n...\nz", printed).agrees(), "{printed:?}");
        }
        assert!(compare("...", "").agrees());
        assert!(compare("...\nb\n...", "a\nb\nc").agrees());
    }

    #[test]
    fn blanks_at_ends_do_not_count() {
        assert!(compare("a\n", "a  \n\n\n").agrees());
        assert!(!compare("a\nb", "a\n\nb").agrees());
    }

    #[test]
    fn the_difference_is_the_smallest() {
        let comparison = compare(
            "dataset  rows\n...\nair.flights [..]\ndone",
            "dataset  rows\nx\ny\nair.flights 7\nnot done",
        );
        assert_eq!(
            comparison.shown(),
            [
                "  dataset  rows",
                "  ...",
                "  air.flights [..]",
                "- done",
                "+ not done"
            ]
        );
    }

    #[test]
    fn a_correction_keeps_what_was_right() {
        let comparison = compare("R-[..] done\nold\nrows [..]", "R-7 done\nnew\nrows 3");
        assert_eq!(
            comparison.corrected(),
            ["R-[..] done", "new", "rows [..]"].map(str::to_owned)
        );
    }

    #[test]
    fn a_correction_always_agrees() {
        let alphabet = ["a", "b", "...", "[..]b", "c"];
        let word = |mut n: usize| -> Vec<String> {
            let mut word = Vec::new();
            while n > 0 {
                word.push(alphabet[n % 5].to_owned());
                n /= 5;
            }
            word
        };
        for expected in 0..300 {
            for printed in (0..300).map(word).filter(|w| !w.iter().any(|l| l.contains(".."))) {
                let comparison = Comparison::of(&word(expected), &printed);
                let corrected = comparison.corrected();
                assert!(
                    Comparison::of(&corrected, &printed).agrees(),
                    "{:?} {printed:?} {corrected:?}",
                    word(expected)
                );
            }
        }
    }
}
