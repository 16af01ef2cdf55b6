//! `retry`: once more what failed.

use mainstay_api::{Error, ErrorKind};
use mainstay_model::queue::Class;
use mainstay_model::{Address, RunId};
use mainstay_server::Access;

use super::{address, amend, run, with};
use crate::Done;
use crate::args::Global;
use crate::desk::Desk;
use crate::output::Output;

/// Tries an amendment or a run again, or all dead letters if none is named.
pub(super) fn retry(global: &Global, thing: Option<&str>, output: &Output) -> Result<Done, Error> {
    let jobs = match thing.map(address).transpose()? {
        Some(Address::Amendment(id)) => return amend::retry(global, id, output),
        Some(Address::Run(id)) => vec![with(global, Access::Read, output, |desk| job_of(desk, id))?],
        Some(other) => {
            return Err(Error::new(
                ErrorKind::Invalid,
                "MS0402",
                format!("{other} cannot be tried again: amendments and runs can"),
            )
            .help("mainstay list dead-letters shows the runs, mainstay list amendments the amendments"));
        }
        None => with(global, Access::Read, output, letters)?,
    };
    if jobs.is_empty() {
        if output.is_json() {
            output.document(&serde_json::json!({ "runs": [] }));
        } else {
            output.line("there is nothing to try again: no job's last run failed");
        }
        return Ok(Done::Well);
    }
    run::run(global, &jobs, false, Class::Interactive, output)
}

/// The job of a run that failed.
fn job_of(desk: &Desk, id: RunId) -> Result<String, Error> {
    let runs = desk.runs()?.runs;
    let Some(run) = runs.into_iter().find(|r| r.id == id.to_string()) else {
        return Err(
            Error::new(ErrorKind::NotFound, "MS0401", format!("there is no run {id}")).help("mainstay runs"),
        );
    };
    if matches!(run.outcome.as_str(), "failed" | "cancelled" | "skipped" | "lost") {
        return Ok(run.job);
    }
    Err(Error::new(
        ErrorKind::Invalid,
        "MS0402",
        format!("run {id} did not fail: it is {}", run.outcome),
    )
    .help(format!(
        "mainstay run {} --force computes it again all the same",
        run.job
    )))
}

fn letters(desk: &Desk) -> Result<Vec<String>, Error> {
    let items = desk.list("dead-letter")?.items;
    let job = |item: &serde_json::Value| item["job"].as_str().map(str::to_owned);
    Ok(items.iter().filter_map(job).collect())
}
