//! What the tests and benchmarks need from Python: a virtual environment with pinned packages under `target/tools/venv`.
//!
//! Made once; a stamp with the pinned versions says whether it has to be made again.

use std::path::PathBuf;
use std::time::Instant;

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::workspace::{self, Workspace};
use crate::{screen, workspace::root};

const REQUIREMENTS: &str = "xtask/tools/requirements.txt";
const CONSTRAINTS: &str = "xtask/tools/constraints.txt";

/// The tools that are there, and how others find them.
#[derive(Debug)]
pub(crate) struct Tools {
    bin: PathBuf,
}

pub(crate) fn main(arguments: &[String]) -> Outcome {
    Options::new(arguments).none()?;
    let tools = set_up()?;
    screen::answer(&tools.bin.display().to_string());
    Ok(())
}

/// Makes the environment, unless it is there already.
pub(crate) fn set_up() -> Outcome<Tools> {
    let folder = Workspace::read()?.target.join("tools");
    let venv = folder.join("venv");
    let tools = Tools {
        bin: venv.join(if cfg!(windows) { "Scripts" } else { "bin" }),
    };
    let wanted = format!(
        "{}\n{}",
        workspace::text(REQUIREMENTS)?,
        workspace::text(CONSTRAINTS)?
    );
    let stamp = folder.join("stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && tools.python().is_file() {
        return Ok(tools);
    }
    let started = Instant::now();
    screen::say(format!(
        "setting up the tests' Python packages in {} (about a minute, once)",
        venv.display()
    ));
    let python = python()?;
    std::fs::create_dir_all(&folder).context(folder.display())?;
    Program::new(&python)
        .args(["-m", "venv", "--clear"])
        .args([&venv])
        .output()
        .map_err(|f| no_venv(&f))?;
    tools.install(REQUIREMENTS)?;
    std::fs::write(&stamp, wanted).context(stamp.display())?;
    screen::say(format!(
        "the tests' Python packages are ready ({})",
        screen::duration(started.elapsed())
    ));
    Ok(tools)
}

impl Tools {
    /// Adds the packages that a file names, unless they are there already. They are gone when the environment is made again.
    pub(crate) fn add(self, file: &str) -> Outcome<Self> {
        let wanted = format!("{}\n{}", workspace::text(file)?, workspace::text(CONSTRAINTS)?);
        let stamp = self.bin.join(file.replace('/', "-"));
        if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
            return Ok(self);
        }
        screen::say(format!("installing the packages of {file} (half a minute, once)"));
        self.install(file)?;
        std::fs::write(&stamp, wanted).context(stamp.display())?;
        Ok(self)
    }

    fn install(&self, file: &str) -> Outcome {
        Program::new(self.python())
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary=:all:",
            ])
            .args(["--requirement".as_ref(), root().join(file).as_os_str()])
            .args(["--constraint".as_ref(), root().join(CONSTRAINTS).as_os_str()])
            .output()
            .map(drop)
            .map_err(|f| f.help("the packages come from PyPI: is it reachable, and does pip know how?"))
    }

    /// A program that came with a package.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// The interpreter that has the packages.
    pub(crate) fn python(&self) -> PathBuf {
        self.bin
            .join(if cfg!(windows) { "python.exe" } else { "python3" })
    }

    /// Tells a program where the tools are: `MAINSTAY_PYTHON`, `MAINSTAY_MOTO`, and first on its `PATH`.
    pub(crate) fn lend(&self, program: Program) -> Program {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(std::iter::once(self.bin.clone()).chain(std::env::split_paths(&path)));
        program
            .env("MAINSTAY_PYTHON", self.python())
            .env("MAINSTAY_MOTO", self.bin.join("moto_server"))
            .env("PATH", path.unwrap_or_default())
    }
}

/// Says what the tests do without PostgreSQL, where it is not there. They start servers of their own from its programs.
pub(crate) fn look_for_postgres() {
    let named = std::env::var_os("MAINSTAY_POSTGRES").map(PathBuf::from);
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = named
        .into_iter()
        .chain(debian.map(|version| version.path().join("bin")))
        .chain(std::env::split_paths(&path))
        .any(|folder| folder.join("initdb").is_file());
    if !there {
        screen::say(
            "PostgreSQL is missing: the tests of its journal will say NOT TESTED and pass (on a build machine they fail); \
             on Debian and Ubuntu: apt-get install postgresql; or name its bin folder with MAINSTAY_POSTGRES",
        );
    }
}

/// Finds an interpreter that is new enough.
fn python() -> Outcome<PathBuf> {
    let chosen = std::env::var_os("PYTHON").map(PathBuf::from);
    let candidates = chosen.into_iter().chain(["python3", "python"].map(PathBuf::from));
    let new_enough = |p: &PathBuf| {
        let asked = Program::new(p)
            .args(["-c", "import sys; print(sys.version_info >= (3, 11))"])
            .output();
        asked.is_ok_and(|a| a.trim() == "True")
    };
    candidates.into_iter().find(new_enough).ok_or_else(|| {
        Failure::new("the tests need Python 3.11 or newer, and `python3` is not").help(
            "install it, or name it with PYTHON=/path/to/python3, or leave these tests out: --without-tools",
        )
    })
}

fn no_venv(failure: &Failure) -> Failure {
    let first = failure.message.lines().nth(1).unwrap_or(&failure.message);
    Failure::new(format!("Python cannot make a virtual environment: {first}"))
        .help("on Debian and Ubuntu: apt-get install python3-venv; or leave these tests out: --without-tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned_alike_in_all_files() {
        let names = |file: &str| -> Vec<String> {
            let text = workspace::text(file).unwrap();
            let lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
            lines.map(|l| l.replace("[server]", "")).collect()
        };
        let pinned = names(CONSTRAINTS);
        for wanted in [names(REQUIREMENTS), names("xtask/tools/sqlmesh.txt")].concat() {
            assert!(wanted.contains("=="), "{wanted} is not pinned");
            assert!(
                pinned.contains(&wanted),
                "{wanted} is pinned otherwise in {CONSTRAINTS}"
            );
        }
    }
}
