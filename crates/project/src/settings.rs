//! A job's file: settings in its leading comments, then one query.
//!
//! Owns where settings begin and end (`-- /// mainstay` … `-- ///`), and what is query. Knows nothing of what settings say.
//! Settings stand before the query; blank lines and other comments may stand before and between.

use std::ops::Range;

use mainstay_base::text::nearest;

use crate::code;
use crate::mistake::Mistake;
use crate::place::Lines;

/// A job's file, taken apart.
#[derive(Debug)]
pub(crate) struct JobFile {
    /// The settings as TOML, and from which of its offsets on it stands at which of the file's.
    pub(crate) settings: Option<(String, Vec<(usize, usize)>)>,
    /// The query: what follows the settings, without blanks around it.
    pub(crate) query: Range<usize>,
    /// What is wrong with where settings stand.
    pub(crate) mistakes: Vec<Mistake>,
}

const OPENING: &str = "mainstay";

/// Takes a file apart. If settings are not closed or stand in a wrong place, there are none, and a mistake.
pub(crate) fn split(lines: &Lines<'_>) -> JobFile {
    let mut file = JobFile {
        settings: None,
        query: lines.begin()..lines.text().len(),
        mistakes: Vec::new(),
    };
    let mut after = 0;
    let mut index = 0;
    while let Some((span, line)) = line(lines, index).filter(|(_, line)| is_leading(line)) {
        match mark(line) {
            Some(OPENING) => {
                after = block(lines, index, &mut file);
                break;
            }
            Some("") => {
                let help = "settings begin with `-- /// mainstay`".to_owned();
                let message = "settings are closed that were never opened";
                file.mistakes.push(mistake(
                    code::MISPLACED,
                    lines,
                    span,
                    message,
                    "nothing to close",
                    help,
                ));
            }
            Some(word) if nearest(word, [OPENING]).is_some() => {
                let message = format!("`/// {word}` does not begin settings");
                let help = "did you mean `-- /// mainstay`?".to_owned();
                file.mistakes.push(mistake(
                    code::MISPLACED,
                    lines,
                    span,
                    &message,
                    "not `mainstay`",
                    help,
                ));
                break;
            }
            _ => {}
        }
        index += 1;
    }
    if let Some(span) = lines.line(after).filter(|_| after > 0) {
        file.query.start = span.start;
    }
    for index in after.max(index + 1)..lines.count() {
        if let Some((span, _)) = line(lines, index).filter(|(_, line)| mark(line) == Some(OPENING)) {
            let message = if after > 0 {
                "settings a second time"
            } else {
                "settings after the query has begun"
            };
            let help = match after {
                0 => "move them above the query",
                _ => "one block of settings stands before the query: move these there",
            };
            file.mistakes.push(mistake(
                code::MISPLACED,
                lines,
                span,
                message,
                "not read",
                help.to_owned(),
            ));
        }
    }
    let query = lines.text().get(file.query.clone()).unwrap_or_default();
    let start = file.query.start + (query.len() - query.trim_start().len());
    file.query = start..start + query.trim().len();
    file
}

/// Reads the block that is opened in a line; returns the line after it.
fn block(lines: &Lines<'_>, opening: usize, file: &mut JobFile) -> usize {
    let (mut text, mut stretches) = (String::new(), vec![(0, lines.begin())]);
    let mut index = opening + 1;
    while let Some((span, content)) = line(lines, index).filter(|(_, line)| is_leading(line)) {
        if mark(content) == Some("") {
            file.settings = Some((text, stretches));
            return index + 1;
        }
        let bare = content.trim_start().strip_prefix("--").unwrap_or_default();
        let bare = bare.strip_prefix(' ').unwrap_or(bare);
        stretches.push((text.len(), span.end - bare.len()));
        text.push_str(bare);
        text.push('\n');
        index += 1;
    }
    let span = lines.line(opening).unwrap_or_default();
    let help = "end them with a line `-- ///`; every line between is a comment".to_owned();
    let message = "the settings are never closed";
    file.mistakes.push(mistake(
        code::NEVER_CLOSED,
        lines,
        span,
        message,
        "opened here",
        help,
    ));
    index
}

fn line<'a>(lines: &Lines<'a>, index: usize) -> Option<(Range<usize>, &'a str)> {
    let span = lines.line(index)?;
    Some((span.clone(), lines.text().get(span)?))
}

fn is_leading(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with("--")
}

/// Returns what follows `-- ///` in a line.
fn mark(line: &str) -> Option<&str> {
    Some(
        line.trim_start()
            .strip_prefix("--")?
            .trim_start()
            .strip_prefix("///")?
            .trim(),
    )
}

fn mistake(
    code: &'static str,
    lines: &Lines<'_>,
    span: Range<usize>,
    message: &str,
    label: &str,
    help: String,
) -> Mistake {
    let indent = lines
        .text()
        .get(span.clone())
        .map_or(0, |l| l.len() - l.trim_start().len());
    Mistake::new(
        code,
        &lines.place(span.start + indent..span.end),
        message,
        label,
        Some(help),
    )
}

/// Says whether SQL says nothing: blanks, comments and semicolons only.
pub(crate) fn is_blank(sql: &str) -> bool {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';' || c == '\u{feff}');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, next)| next);
        } else if rest.starts_with("/*") {
            rest = after_comment(rest);
        } else {
            return rest.is_empty();
        }
    }
}

/// Skips a comment in `/* */`, which may hold others.
fn after_comment(sql: &str) -> &str {
    let (mut depth, mut at) = (0u32, 0);
    loop {
        let rest = sql.get(at..).unwrap_or_default();
        let (open, close) = (rest.find("/*"), rest.find("*/"));
        match (open, close) {
            (Some(open), close) if close.is_none_or(|close| open < close) => {
                depth += 1;
                at += open + 2;
            }
            (_, Some(close)) => {
                depth = depth.saturating_sub(1);
                at += close + 2;
                if depth == 0 {
                    return sql.get(at..).unwrap_or_default();
                }
            }
            _ => return "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_query() {
        let text = "-- licence\n\n-- /// mainstay\n--a = 1\n--  b = 2\n\n-- ///\n\n  SELECT 1 -- x\n;\n";
        let lines = Lines::new("jobs/a/b.sql", text);
        let file = split(&lines);
        let (settings, stretches) = file.settings.expect("it has settings");
        assert_eq!(settings, "a = 1\n b = 2\n\n");
        assert_eq!(text.get(file.query), Some("SELECT 1 -- x\n;"));
        let b = stretches
            .iter()
            .find(|(at, _)| *at == 6)
            .expect("the second line")
            .1;
        assert_eq!(text.get(b..b + 6), Some(" b = 2"));
        assert!(file.mistakes.is_empty());
    }

    #[test]
    fn what_says_nothing() {
        for blank in [
            "",
            " \n;",
            "-- x",
            "-- x\n/* a /* b */ c */ ;",
            "/* never closed",
            "/**/",
        ] {
            assert!(is_blank(blank), "{blank}");
        }
        for said in ["x", "/* */ x", "-- a\nSELECT", "-x", "/ 1"] {
            assert!(!is_blank(said), "{said}");
        }
    }
}
