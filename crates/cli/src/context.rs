//! Where a command works and as whom: the project, the home, the person.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_api::{Error, ErrorKind};
use mainstay_model::BranchName;
use mainstay_server::{
    Access, CancelToken, Context, HOME_FOLDER, Instance, JournalAddress, Options, PROJECT_FILE,
    journal_address,
};

use crate::args::Global;
use crate::output::Output;

/// Finds the project: as named, or the nearest folder upwards that has its file.
pub(crate) fn project(global: &Global) -> Result<Option<PathBuf>, Error> {
    if let Some(dir) = &global.project {
        if !dir.join(PROJECT_FILE).is_file() {
            let message = format!(
                "there is no project in {}: it has no {PROJECT_FILE}",
                dir.display()
            );
            return Err(
                Error::new(ErrorKind::NotFound, "MS0001", message).help("make one with `mainstay init DIR`")
            );
        }
        return Ok(Some(absolute(dir)));
    }
    let here = std::env::current_dir().map_err(|e| {
        Error::new(
            ErrorKind::Unavailable,
            "MS0702",
            "the current folder cannot be found",
        )
        .because(&e)
    })?;
    Ok(here
        .ancestors()
        .find(|d| d.join(PROJECT_FILE).is_file())
        .map(Path::to_owned))
}

fn absolute(dir: &Path) -> PathBuf {
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())
}

/// Finds the home: as named, or in the project.
pub(crate) fn home(global: &Global, project: Option<&Path>) -> Result<PathBuf, Error> {
    match (&global.home, project) {
        (Some(home), _) => Ok(absolute(home)),
        (None, Some(project)) => Ok(project.join(HOME_FOLDER)),
        (None, None) => Err(Error::new(
            ErrorKind::NotFound,
            "MS0001",
            format!("there is no project here: no {PROJECT_FILE} in this folder or above it"),
        )
        .help("go to a project, name one with --project DIR, or make one with `mainstay init DIR`")),
    }
}

/// Returns where the home's journal is, if that was said.
pub(crate) fn journal(global: &Global) -> Result<Option<JournalAddress>, Error> {
    let named = global.journal.as_deref().filter(|url| !url.is_empty());
    named.map(journal_address).transpose()
}

pub(crate) fn person(global: &Global) -> Context {
    let user = ["MAINSTAY_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|v| std::env::var(v).ok().filter(|u| !u.is_empty()));
    Context {
        account: global.account.clone().unwrap_or_else(|| "main".to_owned()),
        actor: user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw())),
        reason: global.reason.clone(),
        request: None,
    }
}

/// Opens the home.
pub(crate) fn open(global: &Global, access: Access, output: &Output) -> Result<Instance, Error> {
    let project = project(global)?;
    let home = home(global, project.as_deref())?;
    open_at(global, home, project, access, output)
}

/// Opens a home that is known.
pub(crate) fn open_at(
    global: &Global,
    home: PathBuf,
    project: Option<PathBuf>,
    access: Access,
    output: &Output,
) -> Result<Instance, Error> {
    let wait = global.wait.map(Duration::from_secs);
    let nothing_yet = access == Access::Read && !Instance::exists(&home);
    // Reading a home that was never written shows what is there: nothing. It is made, so that the answer has the same form.
    let access = if nothing_yet && project.is_some() {
        Access::Write
    } else {
        access
    };
    let branch = match &global.branch {
        None => None,
        Some(name) => Some(name.parse::<BranchName>().map_err(|e| {
            Error::new(ErrorKind::Invalid, "MS0411", e.to_string())
                .help("mainstay list branch shows those there are")
        })?),
    };
    let instance = Instance::open(Options {
        home,
        journal: journal(global)?,
        project,
        access,
        branch,
        wait,
        context: person(global),
    })?;
    for notice in instance.notices() {
        output.note(&notice);
    }
    Ok(instance)
}

/// Returns a token that Ctrl-C pulls; a second Ctrl-C ends the process at once.
pub(crate) fn interruptible() -> CancelToken {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let token = CancelToken::new();
    let pulled = token.clone();
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) {
        std::thread::spawn(move || {
            for _ in signals.forever() {
                if pulled.is_cancelled() {
                    std::process::exit(130);
                }
                pulled.cancel();
            }
        });
    }
    token
}
