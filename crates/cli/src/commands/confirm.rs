//! Asking before something is taken away: on a terminal only; elsewhere it is refused, with the command to repeat.

use std::io::{BufRead, IsTerminal};

use mainstay_api::Error;
use mainstay_server::NEEDS_YES;

use crate::args::Global;
use crate::output::Output;

/// Does something that may need a yes, and asks for it if it does.
pub(super) fn confirmed<T>(
    global: &Global,
    output: &Output,
    act: impl Fn(bool) -> Result<T, Error>,
) -> Result<T, Error> {
    let error = match act(global.yes) {
        Err(error) if error.code == NEEDS_YES => error,
        other => return other,
    };
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if terminal && !output.is_json() && ask(&error, output) {
        return act(true);
    }
    Err(error.help(format!("nothing was changed; if it is meant: {}", again())))
}

fn ask(error: &Error, output: &Output) -> bool {
    output.question(&error.message, &error.causes, "Do it? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// The command as it was given, with a yes.
fn again() -> String {
    let arguments = std::env::args_os().skip(1).map(|a| quoted(&a.to_string_lossy()));
    let all: Vec<String> = std::iter::once("mainstay".to_owned())
        .chain(arguments)
        .chain(["--yes".to_owned()])
        .collect();
    all.join(" ")
}

/// Writes an argument as a shell reads it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}
