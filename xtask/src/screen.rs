//! The only place that writes to the terminal: answers on standard output, progress and failures on standard error.
//!
//! Colour only on a terminal, and never without `NO_COLOR`'s leave.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use crate::failure::Failure;

/// Whether a person watches standard error.
pub(crate) fn watched() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("CI").is_none()
}

/// Writes the answer of a command.
pub(crate) fn answer(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end());
}

/// Writes one line of progress.
pub(crate) fn say(text: impl AsRef<str>) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{}", text.as_ref());
}

/// Whether the log is one that folds groups; they do not nest, so a command that runs others sets this to false for them.
fn grouping() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|v| v == "true")
}

/// Opens a part of the work.
pub(crate) fn heading(title: &str) {
    if grouping() {
        say(format!("::group::{title}"));
    } else {
        say(format!("\n{}", paint(&format!("── {title} "), "1")));
    }
}

/// Closes a part of the work and says how it went.
pub(crate) fn closing(title: &str, ok: bool, elapsed: Duration) {
    if grouping() {
        say("::endgroup::");
    }
    let (mark, colour) = if ok { ("ok", "32") } else { ("FAILED", "31") };
    say(format!("{} {title} ({})", paint(mark, colour), duration(elapsed)));
}

/// Writes a finding of a check: where, and what.
pub(crate) fn finding(place: &str, what: &str) {
    say(format!("  {} {what}", paint(&format!("{place}:"), "1")));
}

/// Writes why the program ends with a failure.
pub(crate) fn failure(failure: &Failure) {
    say(format!("{} {}", paint("error:", "31;1"), failure.message));
    if let Some(help) = &failure.help {
        say(format!("{}  {help}", paint("help:", "36;1")));
    }
}

/// Writes a duration as a person says it.
pub(crate) fn duration(d: Duration) -> String {
    let seconds = d.as_secs();
    match seconds {
        0 => format!("{} ms", d.as_millis()),
        1..10 => format!("{:.1} s", d.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Writes rows in columns, the first aligned left, the others right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        rows.iter()
            .filter_map(|r| r.get(c))
            .map(|t| t.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(i, (cell, &w))| match i {
                0 => format!("{cell:<w$}"),
                _ => format!("{cell:>w$}"),
            });
        text.push_str("  ");
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn paint(text: &str, colour: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    if plain || !std::io::stderr().is_terminal() {
        text.to_owned()
    } else {
        format!("\x1b[{colour}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let read = |ms| duration(Duration::from_millis(ms));
        assert_eq!(read(312), "312 ms");
        assert_eq!(read(4_240), "4.2 s");
        assert_eq!(read(59_999), "59 s");
        assert_eq!(read(83_000), "1 min 23 s");
        assert_eq!(read(7_380_000), "2 h 3 min");
    }

    #[test]
    fn tables_line_up() {
        let rows = [["lint", "4.0 s"], ["documents", "12 s"]].map(|r| r.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "  lint       4.0 s\n  documents   12 s\n");
    }
}
