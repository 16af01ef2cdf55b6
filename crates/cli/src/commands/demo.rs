//! `demo`: a year of New York's flights, explained as it goes.
//!
//! It uses nothing but what every project has: it writes a project with its data, a file a day, applies it, takes the files
//! in, runs the jobs, shows what came out and what it cost, corrects a value, takes that back, and says what to try next.

mod chart;
mod correct;
mod files;

use std::path::Path;
use std::time::Instant;

use mainstay_api::{DatasetReport, DeliverReport, Error, RunsReport};
use mainstay_base::{Bytes, text};
use mainstay_server::{Access, CancelToken, Instance, QueryOptions, RunRequest};
use serde_json::{Value, json};

use super::{init, query};
use crate::args::Global;
use crate::output::{Output, Style};
use crate::progress::Shown;
use crate::{Done, context};

pub(super) fn demo(global: &Global, dir: &Path, output: &Output) -> Result<Done, Error> {
    let began = Instant::now();
    let cancel = context::interruptible();
    say(
        output,
        "1",
        &format!(
            "A project in {}: 5 sources, 8 jobs, their checks; the flights of 2013 as a file a day",
            dir.display()
        ),
    );
    let written = files::write_project(dir)?;
    say_detail(
        output,
        &format!("{} written", text::count(written as u64, "file")),
    );

    let mut global = global.clone();
    global.project = Some(dir.to_owned());
    global.reason.get_or_insert_with(|| "the demo".to_owned());
    let instance = context::open(&global, Access::Write, output)?;
    let result = play(&instance, &cancel, output);
    let closed = instance.close();
    let played = result?;
    closed?;
    let amendments = correct::correct(&global, &cancel, output)?;

    let seconds = began.elapsed().as_secs_f64();
    let bad = played
        .runs
        .runs
        .iter()
        .filter(|r| r.outcome != "succeeded")
        .count();
    if output.is_json() {
        output.document(&json!({ "datasets": played.datasets, "runs": played.runs.runs, "deliveries": played.delivered.deliveries.len(),
            "amendments": amendments, "seconds": seconds, "folder": dir }));
    } else {
        output.line(format!("\nAll of it took {seconds:.1} s. Go on by yourself:\n"));
        output.line(format!("  cd {}", dir.display()));
        for (command, what) in NEXT {
            output.line(format!(
                "  mainstay {command:<52} {}",
                output.paint(Style::Dim, &format!("# {what}"))
            ));
        }
    }
    Ok(if bad == 0 { Done::Well } else { Done::Failed })
}

/// What to try next.
const NEXT: [(&str, &str); 4] = [
    (
        "slices air.daily_delays@2013-02",
        "February's slices, each with its digest",
    ),
    (
        "query \"SELECT * FROM air.worst_days\"",
        "any SQL over any dataset, or over system.facts",
    ),
    (
        "show amendment/A-1",
        "the correction: who, why, how far it reached, what it took",
    ),
    ("journal verify", "the record of all this proves itself"),
];

struct Played {
    delivered: DeliverReport,
    runs: RunsReport,
    datasets: Vec<Value>,
}

fn say(output: &Output, number: &str, line: &str) {
    if !output.is_json() && !output.is_quiet() {
        output.line(format!(
            "{} {line}",
            output.paint(Style::Bold, &format!("{number}."))
        ));
    }
}

fn say_detail(output: &Output, line: &str) {
    if !output.is_json() && !output.is_quiet() {
        output.line(format!("   {}", output.paint(Style::Dim, line)));
    }
}

fn play(instance: &Instance, cancel: &CancelToken, output: &Output) -> Result<Played, Error> {
    say(
        output,
        "2",
        "Apply: what the files say becomes what is; recorded with who, when and why",
    );
    let applied = instance.apply(None, true)?;
    match applied.apply {
        Some(n) => say_detail(
            output,
            &format!(
                "apply/{n}: {}",
                text::count(applied.changes.len() as u64, "resource")
            ),
        ),
        None => say_detail(output, "nothing to do: it was applied before"),
    }
    say(
        output,
        "3",
        "Deliver: every file is read once, checked, split by day, and published as a Delta table",
    );
    let shown = Shown::new(output);
    let delivered = instance.deliver(&[], cancel, &|p| shown.show(p))?;
    let rows: u64 = delivered.deliveries.iter().map(|d| d.rows).sum();
    say_detail(
        output,
        &format!(
            "{} with {}",
            text::count(delivered.deliveries.len() as u64, "new file"),
            text::count(rows, "row")
        ),
    );
    say(
        output,
        "4",
        "Run: each job after what it reads, only the days that changed, published only if its checks pass",
    );
    let request = RunRequest {
        without_deliveries: true,
        class: mainstay_model::queue::Class::Interactive,
        ..RunRequest::default()
    };
    let (_, runs) = instance.run(&request, cancel, &|p| shown.show(p))?;
    if runs.runs.is_empty() {
        say_detail(output, "nothing to run: every dataset is as it should be");
    } else {
        cost(&runs, output);
    }
    let datasets = datasets(instance, output)?;
    if !output.is_json() && !output.is_quiet() {
        pictures(instance, cancel, output)?;
    }
    Ok(Played {
        delivered,
        runs,
        datasets,
    })
}

fn cost(runs: &RunsReport, output: &Output) {
    let cpu: f64 = runs.runs.iter().map(|r| r.usage.cpu_seconds).sum();
    let peak = runs
        .runs
        .iter()
        .map(|r| r.usage.peak_memory_bytes)
        .max()
        .unwrap_or_default();
    let slices: u64 = runs.runs.iter().map(|r| r.slices.len() as u64).sum();
    let line = format!(
        "{}, {}; measured: {cpu:.2} CPU seconds, {} of memory at most",
        text::count(runs.runs.len() as u64, "run"),
        text::count(slices, "slice"),
        Bytes(peak)
    );
    say_detail(output, &line);
}

fn datasets(instance: &Instance, output: &Output) -> Result<Vec<Value>, Error> {
    let items = instance.list("dataset")?.items;
    if output.is_json() || output.is_quiet() {
        return Ok(items);
    }
    let row = |item: &Value| {
        let d: DatasetReport = serde_json::from_value(item.clone()).ok()?;
        Some(vec![
            d.name,
            d.filled_by,
            text::thousands(d.rows),
            text::thousands(d.slices),
            Bytes(d.bytes).to_string(),
            d.state,
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().filter_map(row).collect();
    output.line("");
    output.raw(
        crate::table::table(
            &["dataset", "filled by", "rows", "slices", "size", "state"],
            &rows,
        )
        .as_bytes(),
    );
    Ok(items)
}

/// Shows a small table and a chart of what was computed.
fn pictures(instance: &Instance, cancel: &CancelToken, output: &Output) -> Result<(), Error> {
    let ask = |sql: &str| instance.query(sql, QueryOptions::default(), cancel);
    output.line("\nDays on which most flights did not leave (air.worst_days):\n");
    output.raw(
        query::people(&ask(
            "SELECT * FROM air.worst_days ORDER BY cancelled DESC, day LIMIT 5",
        )?)?
        .as_bytes(),
    );
    let months = ask(
        "SELECT CAST(month AS VARCHAR) AS month, CAST(sum(cancelled) AS BIGINT) AS cancelled, \
         100.0 * sum(cancelled) / sum(flights) AS percent FROM air.carrier_months GROUP BY month ORDER BY month",
    )?;
    output.line("\nCancelled flights by month (air.carrier_months):\n");
    for line in chart::bars(&months.json()?, "month", "cancelled", "percent") {
        output.line(line);
    }
    Ok(())
}

/// Writes the schemas beside the project, for editors.
fn schemas(dir: &Path) -> Result<(), Error> {
    init::schemas(dir)
}
