//! Starts a real PostgreSQL for a test, or says why not.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Who owns everything, with a password that a URL has to write otherwise.
const USER: &str = "ana";
pub(crate) const PASSWORD: &str = "s3cret/@word";
const PASSWORD_IN_URL: &str = "s3cret%2F%40word";

/// A server of its own on a free port of this machine; it is gone when this is dropped, or when the test ends in any way.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// As whom it runs; PostgreSQL refuses to run as root.
    owner: Option<(u32, u32)>,
    settings: Vec<String>,
    keeper: Option<Child>,
}

/// Finds PostgreSQL's programs: in the folder that `MAINSTAY_POSTGRES` names, where Debian has them, or on the PATH. Without
/// them a test says so and passes, except under CI, where it fails.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("MAINSTAY_POSTGRES").map(PathBuf::from);
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let mut debian: Vec<(u32, PathBuf)> = versions
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named
        .into_iter()
        .chain(debian.into_iter().rev().map(|(_, folder)| folder))
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
    if found.is_none() {
        let message = "NOT TESTED: PostgreSQL is missing (on Debian and Ubuntu: apt-get install postgresql; or name its bin folder with MAINSTAY_POSTGRES)";
        assert!(std::env::var_os("CI").is_none(), "{message}");
        eprintln!("{message}");
    }
    found
}

impl Postgres {
    /// Makes a server and starts it.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().expect("a folder");
        let owner = std::fs::metadata(folder.path())
            .is_ok_and(|own| own.uid() == 0)
            .then(somebody);
        let mut server = Self {
            programs,
            folder,
            port: 0,
            owner,
            settings: Vec::new(),
            keeper: None,
        };
        server.give(server.folder.path());
        let password = server.file("password", PASSWORD);
        let mut made = server.program("initdb");
        made.args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
            "-U",
            USER,
        ]);
        made.arg("--pwfile").arg(password).arg("-D").arg(server.data());
        let made = made.output().expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.launch();
        Some(server)
    }

    /// Starts the server again, and waits until it answers.
    pub(crate) fn launch(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if self.port == 0 {
                self.port = free_port();
            }
            let mut server = self.run();
            loop {
                let mut asked = self.program("pg_isready");
                asked.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
                if asked.status().expect("pg_isready starts").success() {
                    self.keeper = Some(server);
                    return;
                }
                assert!(Instant::now() < deadline, "{}", self.log());
                if server.try_wait().expect("a child").is_some() {
                    // The port was taken in between, or what was killed is not quite gone.
                    break;
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
    }

    /// Starts the server below a shell that ends it when this process is gone, however that comes about.
    fn run(&self) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log");
        let script = r#"exec 3<&0
            "$@" < /dev/null 3<&- & server=$!
            { while read -r _; do :; done; kill -QUIT $server; } <&3 &
            wait $server"#;
        let mut keeper = Command::new("/bin/sh");
        self.as_owner(&mut keeper);
        keeper
            .args(["-c", script, "keeper"])
            .arg(self.programs.join("postgres"));
        keeper
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path());
        keeper.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        keeper.args(["-c", "shared_buffers=16MB"]);
        for setting in &self.settings {
            keeper.args(["-c", setting]);
        }
        keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("PostgreSQL starts")
    }

    /// Ends it as a power cut does: with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL");
    }

    /// Ends it at once, as `pg_ctl stop -m immediate` does.
    pub(crate) fn stop_immediately(&mut self) {
        self.signal("-QUIT");
    }

    fn signal(&mut self, name: &str) {
        let Some(mut keeper) = self.keeper.take() else {
            return;
        };
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        if let Some(pid) = text.lines().next() {
            let _ = Command::new("kill").args([name, pid]).status();
        }
        let _ = keeper.wait();
    }

    /// Starts it from now on with a setting.
    pub(crate) fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// Keeps a file that the server can read and nobody else.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.folder.path().join(name);
        let mut options = std::fs::File::options();
        let mut file = options
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        self.give(&path);
        path
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns a URL of it, over the network, with the password.
    pub(crate) fn url(&self, schema: &str) -> String {
        Self::url_at(self.port, schema)
    }

    /// Returns such a URL with another port, on which something passes on to it.
    pub(crate) fn url_at(port: u16, schema: &str) -> String {
        format!("postgres://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{port}/postgres?schema={schema}")
    }

    /// Returns a URL of its socket, without the password.
    pub(crate) fn socket_url(&self, schema: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!(
            "postgres://{USER}@{folder}:{}/postgres?schema={schema}",
            self.port
        )
    }

    /// Runs statements past every lock, and returns what they answer.
    pub(crate) fn sql(&self, text: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-U",
            USER,
        ]);
        psql.args(["-p", &self.port.to_string(), "-d", "postgres", "-c", text]);
        let out = psql.env("PGPASSWORD", PASSWORD).output().expect("psql starts");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        self.as_owner(&mut command);
        command
    }

    fn as_owner(&self, command: &mut Command) {
        command.current_dir(self.folder.path());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
    }

    fn give(&self, path: &Path) {
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group)).expect("given away");
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_immediately();
    }
}

/// Returns a user and a group that are not root: those that Debian's package makes, else nobody.
fn somebody() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").expect("users");
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    ids("postgres")
        .or_else(|| ids("nobody"))
        .expect("a user that is not root")
}

/// Returns a port on which nothing listens right now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|l| l.local_addr())
        .expect("a port")
        .port()
}
