//! A run, in words.

use mainstay_api::{CrossCheckReport, RunReport};
use mainstay_base::{Bytes, text};
use mainstay_model::run::CheckOutcome;
use mainstay_model::spec::Severity;

use super::run::show_sample;
use super::{moment, slices};
use crate::output::{Output, Style};

/// Shows what a run did, why, from what, and what it used.
pub(super) fn show_run(run: &RunReport, output: &Output) {
    let style = match run.outcome.as_str() {
        "succeeded" => Style::Good,
        "running" | "waiting" => Style::Dim,
        _ => Style::Bad,
    };
    output.line(format!(
        "run/{}  {}  {}",
        run.id,
        output.paint(Style::Bold, &run.job),
        output.paint(style, &run.outcome)
    ));
    let say = |name: &str, what: &str| output.line(format!("  {name:<10} {what}"));
    say("because", &run.because);
    say(
        "when",
        &format!("{}, {:.2} s, by {}", moment(run.time), run.seconds, run.who),
    );
    let computed = match run.unchanged {
        0 => slices(&run.slices),
        n => format!(
            "{}, {} came out as before",
            slices(&run.slices),
            text::count(n, "slice")
        ),
    };
    say("slices", &computed);
    if run.unread > 0 {
        let taken = text::count(run.unread, "slice");
        say(
            "not read",
            &format!("{taken} taken as they were: nothing that changed of their inputs is read"),
        );
    }
    if run.attempts > 1 {
        say("attempts", &run.attempts.to_string());
    }
    if let Some(error) = &run.error {
        say("error", &format!("{}: {}", error.code, error.message));
        if let Some(help) = &error.help {
            say("", &format!("help: {help}"));
        }
    }
    for (name, amounts) in [("read", &run.usage.read), ("wrote", &run.usage.written)] {
        for (dataset, (rows, bytes)) in amounts {
            let version = run.version.filter(|_| name == "wrote");
            let version = version.map(|v| format!(", now version {v}")).unwrap_or_default();
            say(
                name,
                &format!(
                    "{dataset}: {}, {}{version}",
                    text::count(*rows, "row"),
                    Bytes(*bytes)
                ),
            );
        }
    }
    let spilled = match run.usage.spilled_bytes {
        0 => String::new(),
        n => format!(", {} spilled to disk", Bytes(n)),
    };
    say(
        "used",
        &format!(
            "{:.2} CPU seconds, at most {} of memory{spilled}",
            run.usage.cpu_seconds,
            Bytes(run.usage.peak_memory_bytes)
        ),
    );
    if let Some(checked) = &run.cross_check {
        say("verified", &cross_checked(checked, output));
    }
    for check in &run.checks {
        say("check", &checked(check, output));
        show_sample(check, output);
    }
}

fn checked(check: &CheckOutcome, output: &Output) -> String {
    let (style, word) = match (check.violations, check.severity) {
        (0, _) => (Style::Good, "passed"),
        (_, Severity::Warn) => (Style::Warn, "warned"),
        (_, Severity::Error) => (Style::Bad, "failed"),
    };
    let message = match check.message.as_str() {
        "" => String::new(),
        said => format!(": {said}"),
    };
    format!("{} {}{message}", check.check, output.paint(style, word))
}

fn cross_checked(checked: &CrossCheckReport, output: &Output) -> String {
    let from = match checked.against.as_str() {
        "alone" if checked.slices.len() == 1 => "from only what it is said to read",
        "alone" => "from only what they are said to read",
        _ => "from everything",
    };
    let came = match (checked.differing.as_slice(), &checked.failed) {
        ([], None) => output.paint(Style::Good, "the same"),
        ([], Some(failed)) => output.paint(Style::Warn, &format!("not comparable ({failed})")),
        (differing, _) => output.paint(Style::Bad, &format!("MS0506, {} otherwise", slices(differing))),
    };
    format!(
        "{} computed a second time {from}: {came}, {:.2} CPU seconds",
        slices(&checked.slices),
        checked.cpu_seconds
    )
}
