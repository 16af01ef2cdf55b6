//! Runs other programs: says what it runs, folds what they print, never lets a hanging one hang us unseen.

mod fold;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::{screen, workspace};
use fold::Fold;

const HEARTBEAT: Duration = Duration::from_secs(60);

/// A program to run in the root of the workspace.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    name: Option<String>,
}

impl Program {
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(name);
        command.current_dir(workspace::root()).stdin(Stdio::null());
        Self { command, name: None }
    }

    /// The cargo that runs this program, without what it told this program about itself. Build scripts ask to be run again
    /// when `CARGO_MANIFEST_DIR` or `CARGO_PKG_NAME` change (that of `ring` does), and with them all that stands on these
    /// crates is built again, whenever a person's own `cargo build` and ours take turns.
    pub(crate) fn cargo() -> Self {
        let mut cargo =
            Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).shown_as("cargo");
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        for (name, _) in std::env::vars_os() {
            let about_us = name
                .to_str()
                .is_some_and(|n| told.iter().any(|t| n.starts_with(t)));
            if about_us || name == "OUT_DIR" || name == "CARGO_PRIMARY_PACKAGE" {
                cargo.command.env_remove(name);
            }
        }
        cargo
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Shows this instead of the program's path.
    pub(crate) fn shown_as(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Lets the program talk to the terminal itself, as a person's own command would.
    pub(crate) fn hand_over(mut self) -> Outcome {
        let shown = self.shown();
        let status = self
            .command
            .stdin(Stdio::inherit())
            .status()
            .map_err(|e| missing(&shown, &e))?;
        check(&shown, status.success(), status.code())
    }

    /// Runs to the end with its output on our standard error: as it is for a person, folded for a log.
    pub(crate) fn run(self) -> Outcome {
        if !screen::watched() {
            return self.read_lines(|_| {});
        }
        let shown = self.shown();
        screen::say(format!("$ {shown}"));
        self.hand_over()
    }

    /// Runs to the end, printing its output folded, and hands over each of its lines without colours.
    pub(crate) fn read_lines(mut self, mut each: impl FnMut(&str)) -> Outcome {
        let shown = self.shown();
        screen::say(format!("$ {shown}"));
        let started = Instant::now();
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|e| missing(&shown, &e))?;
        let (send, lines) = mpsc::channel();
        if let Some(out) = child.stdout.take() {
            forward(out, send.clone());
        }
        if let Some(err) = child.stderr.take() {
            forward(err, send);
        }
        let mut fold = Fold::default();
        loop {
            match lines.recv_timeout(HEARTBEAT) {
                Ok(line) => {
                    each(&without_colour(&line));
                    fold.accept(&line).iter().for_each(screen::say);
                }
                Err(RecvTimeoutError::Timeout) => {
                    screen::say(format!(
                        "  … {} so far{}",
                        screen::duration(started.elapsed()),
                        fold.so_far()
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        fold.finish().iter().for_each(screen::say);
        let status = child.wait().map_err(|e| missing(&shown, &e))?;
        check(&shown, status.success(), status.code())
    }

    /// Runs to the end and returns its standard output; what it said on standard error is in the failure, or else all it said.
    pub(crate) fn output(mut self) -> Outcome<String> {
        let shown = self.shown();
        let output = self.command.output().map_err(|e| missing(&shown, &e))?;
        if !output.status.success() {
            let said = [&output.stderr, &output.stdout].map(|s| String::from_utf8_lossy(s).trim().to_owned());
            let said = said.iter().find(|s| !s.is_empty()).map_or("", String::as_str);
            return Err(Failure::new(format!("`{shown}` failed\n{said}")));
        }
        String::from_utf8(output.stdout)
            .map_err(|_| Failure::new(format!("`{shown}` printed something that is not UTF-8")))
    }

    /// The command as one would type it.
    fn shown(&self) -> String {
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| self.command.get_program().to_string_lossy().into_owned());
        let words = self.command.get_args().map(|w| {
            let word = w.to_string_lossy();
            if word.contains(' ') {
                format!("'{word}'")
            } else {
                word.into_owned()
            }
        });
        std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
    }
}

fn forward(stream: impl Read + Send + 'static, send: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if send
                .send(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned())
                .is_err()
            {
                break;
            }
        }
    });
}

fn missing(shown: &str, cause: &std::io::Error) -> Failure {
    Failure::new(format!("`{shown}` could not be run: {cause}"))
}

fn check(shown: &str, success: bool, code: Option<i32>) -> Outcome {
    match (success, code) {
        (true, _) => Ok(()),
        (false, Some(code)) => Err(Failure::new(format!("`{shown}` ended with exit status {code}"))),
        (false, None) => Err(Failure::new(format!("`{shown}` was killed by a signal"))),
    }
}

/// Takes ANSI colour sequences out of a line.
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after
            .split_once(|c: char| c.is_ascii_alphabetic())
            .map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(without_colour("\x1b[1m\x1b[32m3\x1b[0m passed"), "3 passed");
        assert_eq!(without_colour("plain"), "plain");
    }

    #[test]
    fn a_failing_program_is_named_with_its_status() {
        let failure = Program::new("sh").args(["-c", "exit 3"]).read_lines(|_| {});
        assert_eq!(
            failure.map_err(|f| f.message),
            Err("`sh -c 'exit 3'` ended with exit status 3".to_owned())
        );
    }

    #[test]
    fn lines_of_both_streams_arrive() {
        let mut seen = Vec::new();
        let ran = Program::new("sh")
            .args(["-c", "echo one; echo two >&2"])
            .read_lines(|l| seen.push(l.to_owned()));
        seen.sort();
        assert_eq!((ran, seen), (Ok(()), vec!["one".to_owned(), "two".to_owned()]));
    }
}
