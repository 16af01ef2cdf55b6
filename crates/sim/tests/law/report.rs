//! A failing case as a person can replay it: one shell script with the project's files, the deliveries and the commands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::case::{Case, Step, Wanted};
use crate::hold::Broken;
use crate::world::Project;

fn write_file(text: &mut String, name: &str, content: &str) {
    let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let end = if content.is_empty() || content.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let _ = write!(
        text,
        "mkdir -p {folder}\ncat > {name} <<'END'\n{content}{end}END\n"
    );
}

fn project(text: &mut String, written: &mut BTreeMap<String, String>, project: &Project) {
    for source in &project.sources {
        let _ = writeln!(text, "mkdir -p {}", source.folder());
    }
    let files = project.files();
    for (name, content) in &files {
        if written.get(name) != Some(content) {
            write_file(text, name, content);
        }
    }
    for gone in written.keys().filter(|n| !files.contains_key(*n)) {
        let _ = writeln!(text, "rm {gone}");
    }
    *written = files;
}

fn run(wanted: &Wanted) -> String {
    let mut command = "mainstay run".to_owned();
    for (name, slice) in &wanted.targets {
        let _ = write!(command, " {name}");
        if let Some(slice) = slice {
            let _ = write!(command, "@{slice}");
        }
    }
    if wanted.force {
        command.push_str(" --force");
    }
    command
}

/// Writes a case, up to the step after which it failed, as a shell script.
pub(crate) fn script(case: &Case, broken: &Broken) -> String {
    let mut text = String::new();
    let mut written = BTreeMap::new();
    let mut current: Option<&Project> = None;
    for (at, step) in case.steps.iter().take(broken.step + 1).enumerate() {
        let _ = writeln!(text, "# step {at}");
        match step {
            Step::Write {
                source,
                file,
                content,
            } => {
                let content = current
                    .map(|p| p.source(source).written(content))
                    .unwrap_or_default();
                write_file(&mut text, file, &content);
            }
            Step::Remove { file, .. } => {
                let _ = writeln!(text, "rm {file}");
            }
            Step::Deliver => text.push_str("mainstay deliver\n"),
            Step::Apply(to) => {
                project(&mut text, &mut written, to);
                text.push_str("mainstay apply --yes\n");
                current = Some(to);
            }
            Step::RevertApply(to) => {
                text.push_str("mainstay revert apply/N   # the last apply\n");
                project(&mut text, &mut written, to);
                current = Some(to);
            }
            Step::Run(wanted) => {
                let _ = writeln!(text, "{}", run(wanted));
            }
            Step::Amend(amendment) => {
                let Some(project) = current else { continue };
                if let Some((name, content)) = amendment.file(project) {
                    write_file(&mut text, &name, &content);
                }
                let quoted = |a: &String| {
                    if a.contains([' ', '\'', '(']) {
                        format!("\"{a}\"")
                    } else {
                        a.clone()
                    }
                };
                let arguments: Vec<String> = amendment.arguments(project).iter().map(quoted).collect();
                let _ = writeln!(text, "mainstay {}", arguments.join(" "));
            }
            Step::RevertAmendment(number) => {
                let _ = writeln!(
                    text,
                    "mainstay revert A-N --reason law --yes   # correction {number}, from 0"
                );
            }
            Step::Interrupted(n) => {
                let _ = writeln!(text, "mainstay run   # stopped at its sign of progress {n}");
            }
            Step::Reopen { cleanly } => {
                let how = if *cleanly { "ends" } else { "is killed" };
                let _ = writeln!(text, "# the process {how}, and another begins");
            }
        }
    }
    text
}
