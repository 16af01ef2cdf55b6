//! What a page of the docs asks its reader to do, in order: commands in `console` blocks, files in blocks with `file=PATH`.
//!
//! In a `console` block, a line `$ COMMAND` is a command; lines `> …` below it carry it on; a line `? STATUS` says with which
//! exit status it ends, if not with 0; the other lines are what it prints. A command below which nothing stands may print what
//! it likes. A block with the note `skip` is only shown.

use crate::markdown::{self, Block};

/// One thing that the reader does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Writes a file below the folder in which they work.
    Write {
        path: String,
        text: String,
    },
    Run(Command),
}

/// A command with what the page says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// The line of the page on which it stands, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) status: i32,
    pub(crate) printed: Expected,
}

/// The lines of the page that show what a command prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The first of them, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: Vec<String>,
}

/// New lines for a stretch of a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) place: Expected,
    pub(crate) text: Vec<String>,
}

/// Reads a page; an error begins with the line.
pub(crate) fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for block in markdown::blocks(text) {
        if let Some(path) = block.note("file") {
            if path.starts_with('/') || path.split('/').any(|p| p == "..") {
                return Err(format!(
                    "{}: `file={path}` leaves the reader's folder",
                    block.line
                ));
            }
            steps.push(Step::Write {
                path: path.to_owned(),
                text: block.text.iter().map(|l| format!("{l}\n")).collect(),
            });
        } else if block.language == "console" && !block.notes.iter().any(|n| n == "skip") {
            steps.extend(commands(&block)?.into_iter().map(Step::Run));
        }
    }
    Ok(steps)
}

fn commands(block: &Block) -> Result<Vec<Command>, String> {
    let mut commands: Vec<Command> = Vec::new();
    for (offset, line) in block.text.iter().enumerate() {
        let at = block.line + offset;
        if let Some(text) = line.strip_prefix("$ ") {
            let printed = Expected {
                line: at + 1,
                text: Vec::new(),
            };
            commands.push(Command {
                line: at,
                text: text.to_owned(),
                status: 0,
                printed,
            });
            continue;
        }
        let Some(command) = commands.last_mut() else {
            return Err(format!("{at}: a `console` block begins with `$ COMMAND`"));
        };
        let fresh = command.printed.text.is_empty();
        if let Some(more) = line.strip_prefix("> ").filter(|_| fresh) {
            command.text.push('\n');
            command.text.push_str(more);
            command.printed.line = at + 1;
        } else if let Some(status) = line.strip_prefix("? ").filter(|_| fresh) {
            command.status = status
                .trim()
                .parse()
                .map_err(|_| format!("{at}: `? STATUS` takes a number, not `{status}`"))?;
            command.printed.line = at + 1;
        } else {
            command.printed.text.push(line.clone());
        }
    }
    Ok(commands)
}

/// Returns the page with the changes, which are in its order.
pub(crate) fn rewrite(text: &str, changes: &[Change]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut rewritten: Vec<&str> = Vec::new();
    let mut at = 0;
    for change in changes {
        let start = change.place.line - 1;
        rewritten.extend(&lines[at..start]);
        rewritten.extend(change.text.iter().map(String::as_str));
        at = start + change.place.text.len();
    }
    rewritten.extend(&lines[at..]);
    rewritten.iter().map(|l| format!("{l}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Ten minutes

```sql file=jobs/air/a.sql
SELECT 1
```

```console
$ mainstay check
? 2
error[MS0101]: no
$ mainstay query \\
>   'SELECT 1'
1
$ mainstay apply
```

```console skip
$ rm -rf everything
```
";

    fn runs(text: &str) -> Vec<Command> {
        let runs = steps(text).unwrap().into_iter().filter_map(|s| match s {
            Step::Run(command) => Some(command),
            Step::Write { .. } => None,
        });
        runs.collect()
    }

    #[test]
    fn commands_have_status_and_output() {
        let told: Vec<_> = runs(PAGE)
            .iter()
            .map(|c| {
                (
                    c.line,
                    c.text.clone(),
                    c.status,
                    c.printed.line,
                    c.printed.text.len(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (8, "mainstay check".to_owned(), 2, 10, 1),
                (11, "mainstay query \\\n  'SELECT 1'".to_owned(), 0, 13, 1),
                (14, "mainstay apply".to_owned(), 0, 15, 0),
            ]
        );
    }

    #[test]
    fn files_are_written_where_the_page_says() {
        let write = Step::Write {
            path: "jobs/air/a.sql".to_owned(),
            text: "SELECT 1\n".to_owned(),
        };
        assert_eq!(steps(PAGE).unwrap()[0], write);
        assert!(steps("```sql file=../a.sql\n```\n").is_err());
    }

    #[test]
    fn output_without_a_command_is_refused() {
        assert_eq!(
            steps("```console\nhello\n```\n"),
            Err("2: a `console` block begins with `$ COMMAND`".to_owned())
        );
    }

    #[test]
    fn a_change_touches_only_its_lines() {
        let commands = runs(PAGE);
        let changes = [
            Change {
                place: commands[0].printed.clone(),
                text: vec!["ok".to_owned(), "really".to_owned()],
            },
            Change {
                place: commands[1].printed.clone(),
                text: vec![],
            },
        ];
        let expected = PAGE
            .replace("error[MS0101]: no\n", "ok\nreally\n")
            .replace("'SELECT 1'\n1\n", "'SELECT 1'\n");
        assert_eq!(rewrite(PAGE, &changes), expected);
    }
}
