//! `backup`, `restore`, `resume`: copies of a home, and what becomes of them.

use std::path::Path;

use mainstay_api::{Error, ErrorKind};
use mainstay_base::{Bytes, text};
use mainstay_server::{Access, RestoreRequest, Until};

use super::{moment, time, with, with_home};
use crate::args::Global;
use crate::output::{Output, Style};
use crate::progress::Shown;
use crate::{Done, context};

pub(super) fn backup(global: &Global, target: &str, output: &Output) -> Result<Done, Error> {
    let shown = Shown::new(output);
    let cancel = context::interruptible();
    let here = here()?;
    // The home is read as it lies there, beside whoever writes to it.
    let report = with_home(global, Access::Read, output, |home| {
        home.backup(target, &here, &cancel, &|p| shown.show(p))
    })?;
    if output.is_json() {
        output.document(&report);
        return Ok(Done::Well);
    }
    output.line(format!(
        "{} up to fact {} with {} ({}) is in {}",
        output.paint(Style::Good, "backed up:"),
        report.seq,
        text::count(report.files, "data file"),
        Bytes(report.bytes),
        report.target
    ));
    output.line(format!(
        "new this time: {} ({}), {} of the journal",
        text::count(report.copied_files, "data file"),
        Bytes(report.copied_bytes),
        Bytes(report.journal_bytes)
    ));
    output.next_with(
        &format!("mainstay restore {} --home DIR", report.target),
        "tries it out; the copy rests",
    );
    Ok(Done::Well)
}

pub(super) fn restore(
    global: &Global,
    source: &str,
    as_of: Option<&str>,
    store: Option<&str>,
    output: &Output,
) -> Result<Done, Error> {
    let Some(home) = &global.home else {
        return Err(Error::new(
            ErrorKind::Invalid,
            "MS0006",
            "where is the home to be? nothing is ever restored over the one that is there",
        )
        .help(format!(
            "mainstay restore {source} --home DIR, with a folder that is not there"
        )));
    };
    let until = match as_of {
        None => Until::End,
        Some(number) if number.bytes().all(|b| b.is_ascii_digit()) => {
            let seq = number.parse().map_err(|_| {
                Error::new(
                    ErrorKind::Invalid,
                    "MS0008",
                    format!("`{number}` is not the number of a fact"),
                )
            })?;
            Until::Seq(seq)
        }
        Some(moment) => Until::Time(time(moment)?),
    };
    let here = here()?;
    let request = RestoreRequest {
        source: source.to_owned(),
        home: here.join(home),
        base: here,
        until,
        store: store.map(str::to_owned),
        context: context::person(global),
    };
    let shown = Shown::new(output);
    let cancel = context::interruptible();
    let report = mainstay_server::restore(&request, &cancel, &|p| shown.show(p))?;
    if output.is_json() {
        output.document(&report);
        return Ok(Done::Well);
    }
    output.line(format!(
        "{} {} as of fact {} ({}): {}, {}",
        output.paint(Style::Good, "restored:"),
        home.display(),
        report.seq,
        moment(report.time),
        text::count(report.files, "data file"),
        Bytes(report.bytes)
    ));
    output.line("it verifies, and it rests: no trigger fires in it");
    output.next_with(
        &format!("mainstay resume --home {}", home.display()),
        "if it is to take the original's place",
    );
    Ok(Done::Well)
}

pub(super) fn resume(global: &Global, output: &Output) -> Result<Done, Error> {
    let report = with(global, Access::Write, output, |desk| desk.resume())?;
    if output.is_json() {
        output.document(&report);
    } else if report.resumed {
        output.line("the home acts again: its triggers fire from now on");
    } else {
        output.line("the home does not rest");
    }
    Ok(Done::Well)
}

fn here() -> Result<std::path::PathBuf, Error> {
    std::path::absolute(Path::new(".")).map_err(|e| {
        Error::new(
            ErrorKind::Unavailable,
            "MS0702",
            "the current folder cannot be found",
        )
        .because(&e)
    })
}
