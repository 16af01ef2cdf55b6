//! The reference of commands: what each says with `--help`, the commands below it following.

use std::path::Path;

use super::quiet;
use crate::failure::Outcome;

/// Deeper than this no command goes.
const DEPTH: usize = 3;

pub(super) fn page(binary: &Path) -> Outcome<String> {
    let mut text = String::from("<!-- Written by `cargo xtask gen`. -->\n\n# Commands\n");
    chapter(binary, &[], &mut text)?;
    Ok(text)
}

fn chapter(binary: &Path, path: &[String], text: &mut String) -> Outcome {
    let arguments: Vec<String> = path.iter().cloned().chain(["--help".to_owned()]).collect();
    let help = quiet(binary, &arguments).output()?;
    let title = std::iter::once("mainstay")
        .chain(path.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(" ");
    let level = "#".repeat((path.len() + 1).clamp(2, 4));
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    text.push_str(&format!(
        "\n{level} {title}\n\n```text\n{}\n```\n",
        help.join("\n")
    ));
    if path.len() < DEPTH {
        for name in subcommands(&help) {
            chapter(binary, &[path, &[name]].concat(), text)?;
        }
    }
    Ok(())
}

/// The names in the help's lists of commands: lines that begin two columns in, below a title that speaks of commands.
fn subcommands(help: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    let mut listing = false;
    for line in help {
        if !line.starts_with(' ') && !line.is_empty() {
            listing = line.ends_with(':') && line.to_lowercase().contains("commands");
        } else if listing && line.starts_with("  ") && !line.starts_with("   ") {
            names.extend(
                line.split_whitespace()
                    .next()
                    .filter(|n| *n != "help")
                    .map(str::to_owned),
            );
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "\
The production layer for data jobs

Usage: mainstay [OPTIONS] <COMMAND>

Build commands:
  init     A small project
           that works
  plan     What apply would do

More commands:
  help     Print this
  journal  What happened

Options:
  --json   As JSON
";

    #[test]
    fn commands_are_found_in_the_help() {
        assert_eq!(
            subcommands(&HELP.lines().collect::<Vec<_>>()),
            ["init", "plan", "journal"]
        );
    }
}
