//! The binary `mainstay`: arguments in, tables and progress out.
//!
//! Everything that a command decides or does is in `mainstay_server`; here it is parsed, called and shown. Standard output is
//! the answer; progress, hints and errors go to standard error.

mod args;
mod commands;
mod context;
mod desk;
mod output;
mod progress;
mod ranges;
mod table;

use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use clap::Parser;
use mainstay_api::{Error, ErrorKind};

use crate::args::Cli;
use crate::output::Output;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The stack of a command: long expressions are planned by recursion. What is not used takes no memory.
const STACK: usize = 64 << 20;

/// What takes longer than this has large pages of memory. The system clears each before it is used: 2 MB for every thread that
/// needs some, which is much of what a short command does.
const LONG: Duration = Duration::from_secs(1);

/// How a command ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// All is well.
    Well,
    /// The work itself failed, and that was said.
    Failed,
    /// The request was wrong, and that was said.
    Wrong,
    /// There are changes, and the user wanted to know.
    Changes,
    /// Something waits for a yes, and that was said.
    Unconfirmed,
    /// What is stored does not verify, and that was said.
    Unverified,
    /// It was stopped.
    Interrupted,
}

impl Done {
    const fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Failed => 1,
            Self::Wrong => 2,
            Self::Changes => 3,
            Self::Unconfirmed => 4,
            Self::Unverified => 7,
            Self::Interrupted => 130,
        }
    }
}

/// The exit status of an error.
const fn code(error: &Error) -> u8 {
    match error.kind {
        ErrorKind::Failed => 1,
        ErrorKind::Invalid | ErrorKind::NotFound => 2,
        ErrorKind::Refused => 4,
        ErrorKind::OutOfDate => 5,
        ErrorKind::Unavailable => 6,
        ErrorKind::Damaged => 7,
        ErrorKind::Interrupted => 130,
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&e),
    };
    let output = Output::new(&cli.global);
    large_pages(false);
    let carried_out = std::thread::scope(|threads| {
        let (ends, ended) = channel::<()>();
        let (cli, output) = (&cli, &output);
        let work = move || {
            let _ends = ends;
            commands::run(cli, output)
        };
        let thread = std::thread::Builder::new()
            .name("command".to_owned())
            .stack_size(STACK);
        match thread.spawn_scoped(threads, work) {
            Ok(thread) => {
                if ended.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
                    large_pages(true);
                }
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            Err(_) => commands::run(cli, output),
        }
    });
    match carried_out {
        Ok(done) => ExitCode::from(done.code()),
        Err(error) => {
            output.error(&error);
            ExitCode::from(code(&error))
        }
    }
}

/// Says whether memory that is used from now on comes in large pages, where the allocator asks for them.
fn large_pages(wanted: bool) {
    // A system that does not know of that goes on as it would.
    let _ = rustix::thread::disable_transparent_huge_pages(!wanted);
}

/// Shows what clap has to say: help and version on standard output, mistakes on standard error or, if wanted, as JSON.
fn usage(e: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|a| a == "--json");
    if e.use_stderr() && wants_json {
        let (message, tip) = said(&e.render().to_string());
        let help = tip.unwrap_or_else(|| "mainstay help".to_owned());
        Output::json_only().error(&Error::new(ErrorKind::Invalid, "MS0006", message).help(help));
    } else {
        // If even the terminal is gone there is nobody to tell.
        let _ = e.print();
    }
    ExitCode::from(if e.use_stderr() { 2 } else { 0 })
}

/// What clap says of a mistake, on one line each: what is wrong, and its tip if it has one.
fn said(text: &str) -> (String, Option<String>) {
    let one_line = |p: &str| p.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n").map(one_line);
    let message = paragraphs.next().unwrap_or_default();
    let tip = paragraphs.find_map(|p| p.strip_prefix("tip: ").map(str::to_owned));
    let message = message
        .strip_prefix("error: ")
        .map_or(message.clone(), str::to_owned);
    (message, tip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_command_line_is_said_whole() {
        let said_of = |line: &str| match Cli::try_parse_from(line.split(' ')) {
            Ok(_) => (String::new(), None),
            Err(e) => said(&e.render().to_string()),
        };
        let (message, _) = said_of("mainstay show");
        assert_eq!(
            message,
            "the following required arguments were not provided: <THING>"
        );
        let (message, tip) = said_of("mainstay paln");
        assert_eq!(message, "unrecognized subcommand 'paln'");
        assert!(tip.is_some_and(|t| t.contains("'plan'")));
    }
}
