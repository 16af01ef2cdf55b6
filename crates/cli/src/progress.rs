//! Progress of long work: bars with rates and remaining time on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mainstay_api::Progress;

use crate::output::Output;

/// Shows what goes on, on standard error.
#[derive(Debug)]
pub(crate) struct Shown {
    bars: Option<MultiProgress>,
    lines: bool,
    open: Mutex<BTreeMap<String, (ProgressBar, Instant)>>,
    colored: bool,
}

impl Shown {
    pub(crate) fn new(output: &Output) -> Self {
        let wanted = !output.is_quiet();
        let terminal = std::io::stderr().is_terminal();
        Self {
            bars: (wanted && terminal).then(MultiProgress::new),
            lines: wanted && !terminal && !output.is_json(),
            open: Mutex::default(),
            colored: output.color(),
        }
    }

    /// Takes in one message.
    pub(crate) fn show(&self, progress: Progress) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Began { what, unit, total } => {
                let bar = self.bar(&what, unit, total);
                open.insert(what, (bar, Instant::now()));
            }
            Progress::At { what, done } => {
                if let Some((bar, _)) = open.get(&what) {
                    bar.set_position(done.max(bar.position()));
                }
            }
            Progress::Ended { what, ok, message } => {
                let seconds = open.remove(&what).map(|(bar, began)| {
                    bar.finish_and_clear();
                    began.elapsed().as_secs_f64()
                });
                self.ended(&what, ok, &message, seconds);
            }
        }
    }

    fn bar(&self, what: &str, unit: &str, total: Option<u64>) -> ProgressBar {
        let Some(bars) = &self.bars else {
            return ProgressBar::hidden();
        };
        let template = match total {
            Some(_) => format!("  {{prefix:28}} {{bar:24}} {{pos}}/{{len}} {unit} {{per_sec}} {{eta}}"),
            None => format!("  {{prefix:28}} {{spinner}} {{pos}} {unit} {{elapsed}}"),
        };
        let bar = bars.add(total.map_or_else(ProgressBar::new_spinner, ProgressBar::new));
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        bar
    }

    fn ended(&self, what: &str, ok: bool, message: &str, seconds: Option<f64>) {
        let mark = match (ok, self.colored) {
            (true, true) => "\x1b[32m✔\x1b[0m",
            (true, false) => "✔",
            (false, true) => "\x1b[31m✘\x1b[0m",
            (false, false) => "✘",
        };
        let time = seconds.map(|s| format!("{s:>6.1} s")).unwrap_or_default();
        let line = format!("  {mark} {what:<28} {message:<32} {time}");
        match &self.bars {
            Some(bars) => {
                // A terminal that went away shows nothing more.
                let _ = bars.println(line.trim_end());
            }
            None if self.lines => eprint_line(line.trim_end()),
            None => {}
        }
    }
}

fn eprint_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
