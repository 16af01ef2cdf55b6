//! A folder with a project, and the binary started in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Returns the binary under test: the one of the build that this test is of.
///
/// # Panics
///
/// If it was not built.
#[expect(clippy::panic, reason = "a test without its binary can only end")]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let built = test.ancestors().map(|d| d.join("mainstay")).find(|p| p.is_file());
    built.unwrap_or_else(|| panic!("build the binary first: cargo build -p mainstay-cli"))
}

/// Returns a Python that has the packages the tests need; none where they were not installed, which is said loudly, and is a
/// failure on a build machine.
///
/// # Panics
///
/// If `CI` is set and it is not there.
pub fn python() -> Option<PathBuf> {
    let named = std::env::var_os("MAINSTAY_PYTHON").map(PathBuf::from);
    let test = std::env::current_exe().unwrap_or_default();
    let found = test
        .ancestors()
        .map(|d| d.join("tools/venv/bin/python"))
        .find(|p| p.is_file());
    let python = named.or(found).filter(|p| p.is_file());
    assert!(
        python.is_some() || std::env::var_os("CI").is_none(),
        "the tests' Python packages are missing: cargo xtask tools installs them"
    );
    python
}

/// A folder with a project and an environment of its own.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Clone, Debug)]
#[must_use]
pub struct Outcome {
    /// The exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Returns standard output as a JSON document.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[expect(clippy::panic, reason = "this is a test's expectation")]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// Returns itself if the exit status is as expected.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn expect_status(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// A command that goes on; killed if nobody waits for its end.
#[derive(Debug)]
pub struct Running(Option<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // One that has ended already needs no killing.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Running {
    fn child(&mut self) -> &mut Child {
        self.0
            .as_mut()
            .unwrap_or_else(|| unreachable!("only waiting takes it away"))
    }

    fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([name, &self.id().to_string()]).status();
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(mut self) -> Outcome {
        // One that has ended already needs no killing.
        let _ = self.child().kill();
        self.wait()
    }

    /// Sends it what Ctrl-C sends.
    pub fn interrupt(&self) {
        self.signal("-INT");
    }

    /// Waits for the first line that it prints; what it prints after that is lost.
    ///
    /// # Panics
    ///
    /// If it ends without one.
    #[expect(clippy::panic, reason = "this is a test's expectation")]
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        let read = self
            .child()
            .stdout
            .as_mut()
            .map(|out| std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line));
        if line.is_empty() {
            let mut said = String::new();
            let _ = self
                .child()
                .stderr
                .as_mut()
                .map(|e| std::io::Read::read_to_string(e, &mut said));
            panic!("it ended without a word ({read:?}): {said}");
        }
        line
    }

    /// Sends it what a service manager sends to end it.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// Says whether it still goes on.
    pub fn goes_on(&mut self) -> bool {
        matches!(self.child().try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Outcome {
        let child = self
            .0
            .take()
            .unwrap_or_else(|| unreachable!("only waiting takes it away"));
        outcome(child.wait_with_output())
    }
}

#[expect(clippy::panic, reason = "a test whose binary cannot be started can only end")]
fn outcome(output: std::io::Result<Output>) -> Outcome {
    let output = output.unwrap_or_else(|e| panic!("the binary cannot be started: {e}"));
    Outcome {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// Makes an empty one.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[expect(clippy::panic, reason = "a test without a folder can only end")]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("no folder for a test: {e}"));
        Self {
            folder,
            variables: Vec::new(),
        }
    }

    /// Makes one with the small project of `mainstay init`.
    pub fn shop() -> Self {
        let sandbox = Self::new();
        let _ = sandbox.run(["init", "."]).expect_status(0);
        sandbox
    }

    /// Sets a variable for all commands from now on.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        let parent = path.parent().map_or_else(|| Ok(()), std::fs::create_dir_all);
        let written = parent.and_then(|()| std::fs::write(&path, text));
        assert!(written.is_ok(), "{}: {written:?}", path.display());
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) {
        let removed = std::fs::remove_file(self.path().join(path));
        assert!(removed.is_ok(), "{path}: {removed:?}");
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(binary());
        command.env_clear().args(arguments).current_dir(self.path());
        command
            .env("HOME", self.path())
            .env("MAINSTAY_USER", "ana")
            .env("PATH", "/usr/bin:/bin");
        command.envs(self.variables.iter().map(|(k, v)| (k, v)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the binary to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        outcome(self.command(arguments).output())
    }

    /// Runs the binary to its end with a further variable.
    pub fn run_with<S: AsRef<OsStr>>(
        &self,
        name: &str,
        value: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Outcome {
        outcome(self.command(arguments).env(name, value).output())
    }

    /// Starts the binary and does not wait.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[expect(clippy::panic, reason = "a test whose binary cannot be started can only end")]
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        let child = self.command(arguments).spawn();
        Running(Some(
            child.unwrap_or_else(|e| panic!("the binary cannot be started: {e}")),
        ))
    }

    /// Starts the binary with a further variable and does not wait.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[expect(clippy::panic, reason = "a test whose binary cannot be started can only end")]
    pub fn start_with<S: AsRef<OsStr>>(
        &self,
        name: &str,
        value: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Running {
        let child = self.command(arguments).env(name, value).spawn();
        Running(Some(
            child.unwrap_or_else(|e| panic!("the binary cannot be started: {e}")),
        ))
    }

    /// Runs the binary to its end with further variables.
    pub fn run_in<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &str)],
        arguments: impl IntoIterator<Item = S>,
    ) -> Outcome {
        let mut command = self.command(arguments);
        outcome(command.envs(variables.iter().copied()).output())
    }

    /// Starts the binary with further variables and does not wait.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[expect(clippy::panic, reason = "a test whose binary cannot be started can only end")]
    pub fn start_in<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &str)],
        arguments: impl IntoIterator<Item = S>,
    ) -> Running {
        let child = self.command(arguments).envs(variables.iter().copied()).spawn();
        Running(Some(
            child.unwrap_or_else(|e| panic!("the binary cannot be started: {e}")),
        ))
    }

    /// Answers a query, as JSON rows.
    pub fn query(&self, sql: &str) -> Value {
        self.run(["query", sql, "--json"]).expect_status(0).json()
    }

    /// Returns what every dataset holds: by slice, its digest and rows. Two homes with the same data give the same text.
    pub fn contents(&self) -> String {
        let sql = "SELECT dataset, slice, rows, digest FROM system.slices ORDER BY dataset, slice";
        serde_json::to_string_pretty(&self.query(sql)).unwrap_or_default()
    }

    /// Nothing lies below a table but what some version refers to: attempts that were killed or given up left nothing.
    ///
    /// # Panics
    ///
    /// If something else does.
    pub fn only_published_files(&self, dataset: &str) {
        let table = dataset.replacen('.', "/", 1);
        let root = self.path().join(".mainstay/data/main").join(table);
        let facts = self.query("SELECT body FROM system.facts WHERE kind = 'dataset.published'");
        let bodies: String = facts
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|f| f["body"].as_str())
            .collect();
        for folder in std::fs::read_dir(&root).into_iter().flatten().flatten() {
            let name = folder.file_name().to_string_lossy().into_owned();
            if name == "_delta_log" {
                continue;
            }
            for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                let path = format!("{name}/{}", file.file_name().to_string_lossy());
                assert!(
                    bodies.contains(&path),
                    "{path} in {dataset} is referred to by nothing"
                );
            }
        }
    }
}
