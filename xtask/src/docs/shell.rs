//! Plays a page: does what it asks its reader to do, in a new folder, and compares.
//!
//! Each page has a sealed environment: its own folder and home, a fixed language, width and time zone, no colours, nothing of
//! `MAINSTAY_*`. The folder and exported variables last from one command to the next, as in a terminal.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::Ran;
use super::compare::Comparison;
use super::page::{Change, Command, Step};
use crate::failure::{Context as _, Outcome};
use crate::screen;

/// A command of the docs that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// How a page went, and what would make it right.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) ran: Ran,
    pub(crate) changes: Vec<Change>,
}

/// What a command did.
#[derive(Debug)]
struct Done {
    status: Option<i32>,
    printed: Vec<String>,
}

/// Plays the steps of a page and prints what differs.
pub(crate) fn play(file: &str, steps: &[Step], binary: &Path) -> Outcome<Played> {
    let room = Room::new(file, binary)?;
    let mut played = Played::default();
    for step in steps {
        match step {
            Step::Write { path, text } => room.write(path, text)?,
            Step::Run(command) => {
                let done = room.run(command)?;
                if judge(file, command, &done, &mut played.changes) {
                    played.ran.passed += 1;
                } else {
                    played.ran.failed += 1;
                }
            }
        }
    }
    Ok(played)
}

fn judge(file: &str, command: &Command, done: &Done, changes: &mut Vec<Change>) -> bool {
    let place = format!("{file}:{}", command.line);
    let first = command.text.lines().next().unwrap_or_default();
    let expected = &command.printed;
    let comparison = Comparison::of(&expected.text, &done.printed);
    let as_written = expected.text.is_empty() || comparison.agrees();
    if done.status == Some(command.status) && as_written {
        return true;
    }
    match done.status {
        None => screen::finding(
            &place,
            &format!("`{first}` did not end within {}", screen::duration(LIMIT)),
        ),
        Some(status) if status != command.status => {
            screen::finding(
                &place,
                &format!(
                    "`{first}` ended with exit status {status}, not {}",
                    command.status
                ),
            );
        }
        Some(_) => screen::finding(
            &place,
            &format!("`{first}` printed something else (- in the page, + now)"),
        ),
    }
    comparison
        .shown()
        .iter()
        .for_each(|line| screen::say(format!("      {line}")));
    if !as_written && done.status.is_some() {
        changes.push(Change {
            place: expected.clone(),
            text: comparison.corrected(),
        });
    }
    false
}

/// The folder in which a page is played; gone when dropped.
#[derive(Debug)]
struct Room {
    root: PathBuf,
    path: OsString,
}

impl Room {
    fn new(file: &str, binary: &Path) -> Outcome<Self> {
        let name: String = file
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        let root = std::env::temp_dir().join(format!("mainstay-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("reader")).context(root.display())?;
        std::fs::create_dir_all(root.join("home")).context(root.display())?;
        let own = binary.parent().map(Path::to_owned);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).context("PATH")?;
        Ok(Self { root, path })
    }

    /// Where the last command left the reader.
    fn folder(&self) -> PathBuf {
        let left = std::fs::read_to_string(self.root.join("pwd")).unwrap_or_default();
        if left.trim().is_empty() {
            self.root.join("reader")
        } else {
            left.trim().into()
        }
    }

    fn write(&self, path: &str, text: &str) -> Outcome {
        let target = self.folder().join(path);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).context(folder.display())?;
        }
        std::fs::write(&target, text).context(target.display())
    }

    fn run(&self, command: &Command) -> Outcome<Done> {
        let root = self.root.display();
        let script = format!(
            "exec 2>&1\n[ -f '{root}/exports' ] && . '{root}/exports'\n\
             trap 'status=$?; pwd > \"{root}/pwd\"; export -p > \"{root}/exports\"; exit $status' EXIT\n{}\n",
            command.text
        );
        let mut process = Process::new("sh");
        process
            .args(["-c", &script])
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.root.join("home"))
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("TERM", "dumb")
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        own_group(&mut process);
        let mut child = process.spawn().context("sh")?;
        let (send, ended) = mpsc::channel();
        if let Some(mut out) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = out.read_to_end(&mut bytes);
                let _ = send.send(bytes);
            });
        }
        let (status, bytes) = match ended.recv_timeout(LIMIT) {
            Ok(bytes) => (child.wait().context("sh")?.code().or(Some(128)), bytes),
            Err(_) => {
                end_group(&mut child);
                (
                    None,
                    ended.recv_timeout(Duration::from_secs(5)).unwrap_or_default(),
                )
            }
        };
        let printed = String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect();
        Ok(Done { status, printed })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// Gives the command a process group of its own, so that all it started can be ended.
fn own_group(process: &mut Process) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(process, 0);
}

fn end_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    let _ = Process::new("kill").args(["-KILL", "--", &group]).status();
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::page;

    fn played(text: &str) -> Played {
        let steps = page::steps(text).unwrap();
        play("docs/test.md", &steps, Path::new("/usr/bin/env")).unwrap()
    }

    #[test]
    fn folders_variables_and_files_last() {
        let text = "```sql file=a.sql\nSELECT 1\n```\n```console\n$ cat a.sql\nSELECT 1\n$ mkdir b && cd b && export X=7\n\
                    $ echo $X; pwd\n7\n[..]/reader/b\n```\n```text file=c.txt\nhere\n```\n```console\n$ ls ..; cat c.txt\na.sql\nb\nhere\n```\n";
        let Played { ran, changes } = played(text);
        assert_eq!((ran.passed, ran.failed, changes.len()), (4, 0, 0));
    }

    #[test]
    fn a_wrong_status_and_a_wrong_line_are_found_and_put_right() {
        let text =
            "```console\n$ echo one; echo two\none\nthree\n$ exit 3\n? 3\n$ exit 4\n$ echo no >&2\nno\n```\n";
        let Played { ran, changes } = played(text);
        assert_eq!((ran.passed, ran.failed), (2, 2));
        assert_eq!(page::rewrite(text, &changes), text.replace("three", "two"));
    }

    #[test]
    fn the_environment_is_sealed() {
        let Played { ran, .. } =
            played("```console\n$ echo $TZ $NO_COLOR ${CARGO_MANIFEST_DIR:-none}\nUTC 1 none\n```\n");
        assert_eq!((ran.passed, ran.failed), (1, 0));
    }
}
