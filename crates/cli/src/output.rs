//! What goes to the terminal: the one place that prints.

use std::io::{IsTerminal, Write};

use mainstay_api::Error;
use serde::Serialize;
use serde_json::json;

use crate::args::{Global, When};

/// How things are shown.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    pub(crate) verbose: bool,
    branch: Option<String>,
    color_out: bool,
    color_err: bool,
}

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Warn => "\x1b[33m",
        }
    }
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let color = |terminal: bool| match global.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let unwanted = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
                terminal && !unwanted && !dumb
            }
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            branch: global.branch.clone(),
            color_out: color(std::io::stdout().is_terminal()),
            color_err: color(std::io::stderr().is_terminal()),
        }
    }

    /// Shows nothing but JSON.
    pub(crate) const fn json_only() -> Self {
        Self {
            json: true,
            quiet: true,
            verbose: false,
            branch: None,
            color_out: false,
            color_err: false,
        }
    }

    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(crate) const fn color(&self) -> bool {
        self.color_err
    }

    /// Marks a text for standard output.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.color_out {
            format!("{}{text}\x1b[0m", style.code())
        } else {
            text.to_owned()
        }
    }

    fn paint_err(&self, style: Style, text: &str) -> String {
        if self.color_err {
            format!("{}{text}\x1b[0m", style.code())
        } else {
            text.to_owned()
        }
    }

    /// Prints a line of the answer.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        // A closed pipe (`| head`) is the reader's wish, not an error.
        let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
    }

    /// Prints bytes of the answer as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let _ = std::io::stdout().lock().write_all(bytes);
    }

    /// Prints the answer as JSON.
    pub(crate) fn document<T: Serialize>(&self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(text),
            Err(e) => self.note(&format!("the answer cannot be written as JSON: {e}")),
        }
    }

    /// Prints one JSON document on one line.
    pub(crate) fn document_line<T: Serialize>(&self, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.line(text);
        }
    }

    /// Says something besides the answer.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    /// Says what to do next, in the branch where this was done.
    pub(crate) fn next(&self, command: &str) {
        self.next_with(command, "");
    }

    /// Says what to do next, and something about it.
    pub(crate) fn next_with(&self, command: &str, about: &str) {
        if !self.quiet && !self.json {
            let label = self.paint_err(Style::Dim, "Next:");
            let branch = self.branch.as_ref().filter(|_| !command.contains(" branch"));
            let branch = branch.map_or_else(String::new, |name| format!(" --branch {name}"));
            let gap = if about.is_empty() { "" } else { "      " };
            let _ = writeln!(std::io::stderr().lock(), "{label} {command}{branch}{gap}{about}");
        }
    }

    /// Asks something, without waiting for the answer.
    pub(crate) fn question(&self, what: &str, details: &[String], question: &str) {
        let mut text = format!("{}\n", self.paint_err(Style::Bold, what));
        for detail in details {
            text.push_str(&format!("  {detail}\n"));
        }
        text.push_str(question);
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Shows mistakes that were rendered already.
    pub(crate) fn mistakes(&self, rendered: &str) {
        let _ = write!(std::io::stderr().lock(), "{rendered}");
    }

    /// Shows an error.
    pub(crate) fn error(&self, error: &Error) {
        if self.json {
            self.document(&json!({ "error": error }));
            return;
        }
        if let Some(excerpt) = &error.excerpt {
            self.mistakes(excerpt);
            return;
        }
        let mut text = format!(
            "{}: {}\n",
            self.paint_err(Style::Bad, &format!("error[{}]", error.code)),
            error.message
        );
        for cause in &error.causes {
            text.push_str(&format!("  because {cause}\n"));
        }
        if let Some(help) = &error.help {
            text.push_str(&format!("  {} {help}\n", self.paint_err(Style::Good, "help:")));
        }
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}
