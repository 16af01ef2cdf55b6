//! The demo's correction: an outlier, how far it reaches, what was computed again, and the way back.

use std::time::Instant;

use mainstay_api::{AmendReport, Error, ReachReport};
use mainstay_base::text;
use mainstay_model::{AmendmentId, DatasetName, Selection};
use mainstay_server::{
    Access, AmendChange, AmendRequest, CancelToken, Instance, QueryOptions, ReplayRequest, WhyRequest,
};
use serde_json::Value;

use super::{say, say_detail};
use crate::args::Global;
use crate::commands::{slices, with_home};
use crate::output::Output;
use crate::table::table;

/// Minutes after which the demo takes a delay for a slip.
const TOO_LATE: u32 = 1300;

/// How many of the correction's runs are replayed; all of them would take as long as the correction.
const REPLAYED: usize = 2;

/// Corrects the outlier and takes that back, once; returns what was done.
pub(super) fn correct(
    global: &Global,
    cancel: &CancelToken,
    output: &Output,
) -> Result<Vec<AmendReport>, Error> {
    let side = |reason: &str| Global {
        reason: Some(reason.to_owned()),
        ..global.clone()
    };
    let first = side("nobody leaves 21 hours late: a slip of the pen");
    let amended = with_home(&first, Access::Write, output, |i| {
        let amended = amend(i, cancel, output)?;
        if amended.as_ref().is_some_and(|a| a.status == "applied") {
            why(i, amended.as_ref(), cancel, output)?;
        }
        Ok(amended)
    })?;
    let Some(amended) = amended else {
        return Ok(Vec::new());
    };
    let id: Option<AmendmentId> = amended.amendment.as_deref().and_then(|id| id.parse().ok());
    let Some(id) = id.filter(|_| amended.status == "applied") else {
        return Ok(vec![amended]);
    };
    let second = side("it did leave 21 hours late");
    let reverted = with_home(&second, Access::Write, output, |i| {
        let reverted = revert(i, id, cancel, output)?;
        replay(i, &amended, cancel, output)?;
        Ok(reverted)
    })?;
    Ok(vec![amended, reverted])
}

/// The correction; none if there was one before.
fn amend(instance: &Instance, cancel: &CancelToken, output: &Output) -> Result<Option<AmendReport>, Error> {
    let ask = |sql: &str| instance.query(sql, QueryOptions::default(), cancel)?.json();
    if !instance.list("amendment")?.items.is_empty() {
        return Ok(None);
    }
    let latest = ask(
        "SELECT CAST(day AS VARCHAR) AS day, carrier || ' ' || CAST(flight AS VARCHAR) AS flight, origin, dest, \
                      CAST(dep_delay AS BIGINT) AS minutes FROM air.flights ORDER BY dep_delay DESC NULLS LAST, day LIMIT 1",
    )?;
    let Some(latest) = latest.first() else {
        return Ok(None);
    };
    let word = |name: &str| latest.get(name).and_then(Value::as_str).unwrap_or_default();
    let minutes = latest.get("minutes").and_then(Value::as_u64).unwrap_or_default();
    if minutes <= u64::from(TOO_LATE) {
        return Ok(None);
    }
    if !output.is_json() && !output.is_quiet() {
        output.line("");
    }
    say(
        output,
        "5",
        &format!(
            "Correct: on {} {} left {} for {} {} minutes late, says the file. First, how far would it reach?",
            word("day"),
            word("flight"),
            word("origin"),
            word("dest"),
            text::thousands(minutes)
        ),
    );
    let request = |dry_run| -> Result<AmendRequest, Error> {
        Ok(AmendRequest {
            dataset: dataset("air.flights")?,
            slices: Selection::Value(word("day").to_owned()),
            condition: Some(format!("dep_delay > {TOO_LATE}")),
            change: AmendChange::Set(vec![("dep_delay".to_owned(), "NULL".to_owned())]),
            dry_run,
        })
    };
    let began = Instant::now();
    let preview = instance.amend(&request(true)?, cancel, &|_| {})?;
    let expected = preview
        .estimate
        .seconds
        .map_or_else(String::new, |s| format!(", about {s:.1} s"));
    say_detail(
        output,
        &format!(
            "{}, at most {} in {}{expected}; known after {:.2} s, nothing changed yet",
            text::count(preview.rows.changed, "row"),
            text::count(preview.estimate.slices, "slice"),
            text::count(preview.estimate.runs, "run"),
            began.elapsed().as_secs_f64()
        ),
    );
    let report = instance.amend(&request(false)?, cancel, &|_| {})?;
    if !output.is_json() && !output.is_quiet() {
        let rows: Vec<Vec<String>> = report.datasets.iter().map(line).collect();
        output.line("");
        output.raw(table(&["reached", "slices", "came out"], &rows).as_bytes());
        output.line("");
    }
    say_detail(output, &summary(instance, &report));
    Ok(Some(report))
}

fn dataset(name: &str) -> Result<DatasetName, Error> {
    crate::commands::dataset(name).map(|(name, _)| name)
}

/// What became of the slices of one dataset.
fn line(reach: &ReachReport) -> Vec<String> {
    let all = reach.slices.len() as u64;
    let same = reach.unchanged.unwrap_or_default();
    let came = match (all.saturating_sub(same), same) {
        (0, _) => "as it was: goes no further".to_owned(),
        (_, 0) => "changed".to_owned(),
        (changed, same) => format!("{changed} changed, {same} as they were"),
    };
    vec![reach.name.clone(), slices(&reach.slices), came]
}

/// One line: how an amendment ended, and what it took.
fn summary(instance: &Instance, report: &AmendReport) -> String {
    let id = report.amendment.as_deref().unwrap_or_default();
    if let Some(error) = &report.error {
        return format!(
            "amendment/{id} {}: {} {}",
            report.status, error.code, error.message
        );
    }
    let runs = instance.runs().runs;
    let reused = runs
        .iter()
        .filter(|r| r.reused && report.runs.contains(&r.id))
        .count();
    let count = text::count(report.runs.len() as u64, "run");
    let how = match reused {
        0 => count,
        n if n == report.runs.len() => format!("{count}, every result reused"),
        n => format!("{count}, {n} of them reused"),
    };
    let took = report.took.and_then(|t| t.seconds).unwrap_or_default();
    format!("amendment/{id}: {how}, published everywhere by one fact; it took {took:.2} s")
}

/// Asks why the last slice that the correction computed in a derived dataset is what it is.
fn why(
    instance: &Instance,
    amended: Option<&AmendReport>,
    cancel: &CancelToken,
    output: &Output,
) -> Result<(), Error> {
    let changed = |d: &&ReachReport| d.slices.len() == 1 && d.unchanged == Some(0);
    let reached = amended.into_iter().flat_map(|a| &a.datasets).skip(1);
    let Some(reach) = reached
        .filter(changed)
        .filter(|d| d.slices.iter().all(|s| s != "all"))
        .last()
    else {
        return Ok(());
    };
    let name = format!("{}@{}", reach.name, reach.slices.join(","));
    say(
        output,
        "6",
        &format!("Why is {name} what it is now? The journal knows"),
    );
    let request = WhyRequest {
        thing: crate::commands::address(&name)?,
        condition: None,
        prove: false,
    };
    let causes = instance.why(&request, cancel, &|_| {})?.causes;
    for cause in causes.iter().filter(|c| c.depth == 0).take(2) {
        let who = cause.who.as_deref().unwrap_or_default();
        let said = cause.reason.as_ref().or(cause.change.as_ref());
        let said = said.map_or_else(String::new, |s| format!(": {s}"));
        let seq = cause.seq.map_or_else(String::new, |s| format!(" · journal {s}"));
        say_detail(output, &format!("{}{said} · {who}{seq}", cause.what));
    }
    Ok(())
}

fn revert(
    instance: &Instance,
    id: AmendmentId,
    cancel: &CancelToken,
    output: &Output,
) -> Result<AmendReport, Error> {
    say(
        output,
        "7",
        "Take it back: the flight really was that late. What was computed before is known, and taken as it is",
    );
    let report = instance.revert_amendment(id, false, cancel, &|_| {})?;
    say_detail(output, &summary(instance, &report));
    Ok(report)
}

fn replay(
    instance: &Instance,
    amended: &AmendReport,
    cancel: &CancelToken,
    output: &Output,
) -> Result<(), Error> {
    say(
        output,
        "8",
        "Replay: the same function of the same pinned inputs again, aside, also of what is reverted now",
    );
    let began = Instant::now();
    let runs = amended
        .runs
        .iter()
        .take(REPLAYED)
        .filter_map(|r| r.parse().ok())
        .collect();
    let request = ReplayRequest { runs, threads: None };
    let replays = instance.replay(&request, cancel, &|_| {})?.replays;
    let each: Vec<String> = replays
        .iter()
        .map(|r| format!("{} {} {}", r.run, r.job, r.verdict))
        .collect();
    say_detail(
        output,
        &format!(
            "{}; it took {:.2} s",
            each.join(", "),
            began.elapsed().as_secs_f64()
        ),
    );
    Ok(())
}
