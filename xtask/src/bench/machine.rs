//! On what, when and of which commit something was measured.

use crate::failure::Outcome;
use crate::program::Program;

#[derive(Debug)]
pub(super) struct Machine {
    /// `2026-11-23`.
    pub(super) date: String,
    /// Short; with a `+` if something was changed since.
    pub(super) commit: String,
    /// Processor and cores.
    pub(super) name: String,
}

pub(super) fn read() -> Outcome<Machine> {
    let git = |arguments: &[&str]| Program::new("git").args(arguments).output();
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?
        .trim()
        .is_empty();
    let commit = format!(
        "{}{}",
        git(&["rev-parse", "--short", "HEAD"])?.trim(),
        if changed { "+" } else { "" }
    );
    let date = Program::new("date")
        .args(["-u", "+%Y-%m-%d"])
        .output()?
        .trim()
        .to_owned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plural = if cores == 1 { "core" } else { "cores" };
    Ok(Machine {
        date,
        commit,
        name: format!("{}, {cores} {plural}", processor()),
    })
}

fn processor() -> String {
    let linux = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mac = || {
        Program::new("sysctl")
            .args(["-n", "machdep.cpu.brand_string"])
            .output()
            .ok()
    };
    let name = model(&linux)
        .or_else(mac)
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|l| l.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        assert_eq!(
            model("processor\t: 0\nmodel name\t: A CPU @ 2.10GHz\n"),
            Some("A CPU @ 2.10GHz".to_owned())
        );
        assert_eq!(model(""), None);
    }
}
