//! What each command does: it opens what it needs, asks the server crate, and shows the answer.

mod amend;
mod backup;
mod branch;
mod confirm;
mod data;
mod demo;
mod doctor;
mod generate;
mod init;
mod journal;
mod project;
mod query;
mod replay;
mod retry;
mod run;
mod runs;
mod serve;
mod show;
mod show_run;
mod why;

use mainstay_api::{Error, ErrorKind};
use mainstay_model::address::Selection;
use mainstay_model::queue::Class;
use mainstay_model::{Address, DatasetName};
use mainstay_server::{Access, Instance};

use crate::Done;
use crate::args::{Cli, Command, Global};
use crate::context;
use crate::desk::Desk;
use crate::output::Output;

/// Carries a command out.
pub(crate) fn run(cli: &Cli, output: &Output) -> Result<Done, Error> {
    let global = &cli.global;
    match &cli.command {
        Command::Demo { dir } => {
            serve::not_there(global, "demo")?;
            demo::demo(global, dir, output)
        }
        Command::Init { dir } => init::init(dir, output),
        Command::Schema { job } => generate::schema(*job, output),
        Command::Check => project::check(global, output),
        Command::Plan { exit_code, full } => project::plan(global, *exit_code, *full, output),
        Command::Apply { plan } => project::apply(global, plan.as_deref(), output),
        Command::Amend(args) => amend::amend(global, args, output),
        Command::Revert { thing, dry_run } => match address(thing)? {
            Address::Amendment(id) => amend::revert(global, id, *dry_run, output),
            _ => project::revert(global, thing, output),
        },
        Command::Approve { thing } => amend::approve(global, thing, output),
        Command::Retry { thing, .. } => retry::retry(global, thing.as_deref(), output),
        Command::Drop { thing } => amend::drop_(global, thing, output),
        Command::Replay { runs, all, threads } => replay::replay(global, runs, *all, *threads, output),
        Command::Vacuum { dry_run } => replay::vacuum(global, *dry_run, output),
        Command::Why(args) => why::why(global, args, output),
        Command::Diff(args) => replay::diff(global, args, output),
        Command::Branch { action } => branch::branch(global, action, output),
        Command::Deliver { sources } => data::deliver(global, sources, output),
        Command::Run {
            addresses,
            force,
            class,
        } => {
            // The command line takes no other words.
            let class = Class::ALL
                .into_iter()
                .find(|c| c.name() == class)
                .unwrap_or_default();
            run::run(global, addresses, *force, class, output)
        }
        Command::Query {
            sql,
            as_of,
            version,
            format,
            output: file,
        } => {
            let ask = query::Ask {
                sql,
                as_of: as_of.as_deref(),
                version: *version,
                format: *format,
                file: file.as_deref(),
            };
            query::query(global, &ask, output)
        }
        Command::List { kind } => show::list(global, kind, output),
        Command::Show { thing } => show::show(global, thing, output),
        Command::History { thing } => show::history(global, thing, output),
        Command::Runs { job, limit, follow } => {
            let listed = runs::Listed {
                job: job.as_deref(),
                limit: *limit,
            };
            if *follow {
                runs::follow(global, &listed, output)
            } else {
                runs::runs(global, &listed, output)
            }
        }
        Command::Slices { dataset } => data::slices(global, dataset, output),
        Command::Logs { run } => run::logs(global, run, output),
        Command::Cancel { run } => run::cancel(global, run, output),
        Command::Deps { address } => data::deps(global, address, output),
        Command::Journal { action, filter } => journal::journal(global, action.as_ref(), filter, output),
        Command::Serve(args) => {
            serve::not_there(global, "serve")?;
            serve::serve(global, args, output)
        }
        Command::Backup { target } => {
            serve::not_there(global, "backup")?;
            backup::backup(global, target, output)
        }
        Command::Restore { source, as_of, store } => {
            serve::not_there(global, "restore")?;
            backup::restore(global, source, as_of.as_deref(), store.as_deref(), output)
        }
        Command::Doctor => doctor::doctor(global, output),
        Command::Resume => backup::resume(global, output),
        Command::Trust => {
            serve::not_there(global, "trust")?;
            serve::trust(global, output)
        }
        Command::Token { action } => serve::token(global, action, output),
        Command::Gen { what } => generate::generate(what, output),
        Command::Version => {
            generate::version(output);
            Ok(Done::Well)
        }
    }
}

/// Does something in the home or at the server that has it, and ends cleanly whatever came of it. The one place where that
/// is told apart.
fn with<T>(
    global: &Global,
    access: Access,
    output: &Output,
    work: impl FnOnce(&Desk) -> Result<T, Error>,
) -> Result<T, Error> {
    let desk = Desk::open(global, access, output)?;
    let result = work(&desk);
    let closed = desk.close();
    let value = result?;
    closed?;
    Ok(value)
}

/// Opens the home itself, does something, and ends cleanly whatever came of it.
fn with_home<T>(
    global: &Global,
    access: Access,
    output: &Output,
    work: impl FnOnce(&Instance) -> Result<T, Error>,
) -> Result<T, Error> {
    let instance = context::open(global, access, output)?;
    let result = work(&instance);
    let closed = instance.close();
    let value = result?;
    closed?;
    Ok(value)
}

fn address(text: &str) -> Result<Address, Error> {
    text.parse().map_err(|e: mainstay_model::address::BadAddress| {
        Error::new(ErrorKind::Invalid, "MS0007", e.to_string())
    })
}

fn dataset(text: &str) -> Result<(DatasetName, Selection), Error> {
    match address(text)? {
        Address::Dataset(name, selection) => Ok((name, selection)),
        other => Err(Error::new(
            ErrorKind::Invalid,
            "MS0007",
            format!("`{other}` is not a dataset"),
        )
        .help("datasets look like air.flights or air.flights@2013-02-03")),
    }
}

fn time(text: &str) -> Result<mainstay_base::Timestamp, Error> {
    text.parse().map_err(|e: mainstay_base::clock::BadTimestamp| {
        Error::new(ErrorKind::Invalid, "MS0008", e.to_string())
    })
}

/// Writes a moment for people: to the second.
fn moment(t: mainstay_base::Timestamp) -> String {
    let text = t.to_string();
    text.get(..19).map_or(text.clone(), |s| s.replace('T', " "))
}

/// Writes one value of a row for people.
fn cell(v: &serde_json::Value) -> String {
    match v {
        serde_json::Value::Null => "NULL".to_owned(),
        serde_json::Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// Writes slices for people: the first and last, and how many.
fn slices(list: &[String]) -> String {
    match list {
        [] => "no slice".to_owned(),
        [one] => one.clone(),
        [first, .., last] => format!(
            "{} ({first} … {last})",
            mainstay_base::text::count(list.len() as u64, "slice")
        ),
    }
}
