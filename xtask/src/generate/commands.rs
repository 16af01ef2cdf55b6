//! The reference of commands: what each says with `--help`, the commands below it following.

use std::path::Path;

use super::quiet;
use crate::failure::Outcome;

/// The title of the options that every command has: they are told once.
const SHARED: &str = "For every command:";

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
    let told = if path.is_empty() {
        help.clone()
    } else {
        without_shared(&help)
    };
    text.push_str(&format!(
        "\n{level} {title}\n\n```text\n{}\n```\n",
        told.join("\n")
    ));
    if path.len() < DEPTH {
        for name in subcommands(&help) {
            chapter(binary, &[path, &[name]].concat(), text)?;
        }
    }
    Ok(())
}

/// The help without the section of shared options, which ends at the next line that begins at the margin.
fn without_shared<'a>(help: &[&'a str]) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::new();
    let mut shared = false;
    for &line in help {
        if !line.starts_with(' ') && !line.is_empty() {
            shared = line == SHARED;
        }
        if !shared {
            kept.push(line);
        }
    }
    while kept.last().is_some_and(|l| l.is_empty()) {
        kept.pop();
    }
    kept
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
    fn shared_options_are_told_once() {
        let help = [
            "Usage: x",
            "",
            SHARED,
            "      --json",
            "",
            "          As JSON",
            "",
            "Examples:",
            "  x",
        ];
        assert_eq!(without_shared(&help), ["Usage: x", "", "Examples:", "  x"]);
        assert_eq!(without_shared(&help[..7]), ["Usage: x"]);
    }

    #[test]
    fn commands_are_found_in_the_help() {
        assert_eq!(
            subcommands(&HELP.lines().collect::<Vec<_>>()),
            ["init", "plan", "journal"]
        );
    }
}
