//! How mistakes look: the file, the line, the words in it that are wrong, and what to do.
//!
//! Pure text; colours only where they are asked for, and never the only carrier of meaning. What comes from files is shown
//! without control characters, and long lines are cut around the place.

use std::fmt::Write;

use mainstay_base::text::count;

use crate::load::SourceFile;
use crate::mistake::Mistake;

/// How many characters of a line are shown.
const WIDTH: usize = 120;

/// Writes mistakes as people read them, with the lines that they are in, and their number at the end; nothing for none.
/// Files that are not given are named, and their lines left out.
pub fn render(mistakes: &[Mistake], files: &[SourceFile], color: bool) -> String {
    let mut out = String::new();
    for mistake in mistakes {
        out.push_str(&render_each(std::slice::from_ref(mistake), files, color));
        out.push('\n');
    }
    if !mistakes.is_empty() {
        let mut names: Vec<&str> = mistakes.iter().map(|m| m.file.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let number = |n: usize, noun: &str| count(u64::try_from(n).unwrap_or(u64::MAX), noun);
        let total = number(mistakes.len(), "mistake");
        let _ = writeln!(
            out,
            "{} in {}",
            Paint(color).bold(&total),
            number(names.len(), "file")
        );
    }
    out
}

/// The same without their number.
pub fn render_each(mistakes: &[Mistake], files: &[SourceFile], color: bool) -> String {
    let mut out = String::new();
    for mistake in mistakes {
        let file = files.iter().find(|f| f.path == mistake.file);
        one(&mut out, mistake, file.map(|f| f.text.as_str()), &Paint(color));
    }
    out
}

fn one(out: &mut String, mistake: &Mistake, text: Option<&str>, paint: &Paint) {
    let head = format!("error[{}]", mistake.code);
    let _ = writeln!(
        out,
        "{}{}",
        paint.red(&head),
        paint.bold(&format!(": {}", plain(&mistake.message)))
    );
    let line = text.and_then(|t| line(t, mistake.line));
    let previous = text
        .filter(|_| mistake.line > 1)
        .and_then(|t| self::line(t, mistake.line - 1));
    let width = mistake.line.to_string().len();
    let (pad, at) = (
        " ".repeat(width),
        format!("{}:{}:{}", plain(&mistake.file), mistake.line, mistake.column),
    );
    let _ = writeln!(out, " {pad} {}[{at}]", paint.blue("╭─"));
    if let Some(line) = line {
        let shown = Shown::new(line, mistake.column, mistake.end_column);
        if let Some(previous) = previous.filter(|p| !p.trim().is_empty() && shown.from == 0) {
            let number = format!("{:>width$} │", mistake.line - 1);
            let _ = writeln!(
                out,
                " {} {}",
                paint.blue(&number),
                Shown::new(previous, 1, 1).text
            );
        }
        let number = format!("{:>width$} │", mistake.line);
        let _ = writeln!(out, " {} {}", paint.blue(&number), shown.text);
        let (before, under) = (" ".repeat(shown.before), "─".repeat(shown.marked - 1));
        let label = format!("┬{under} {}", plain(&mistake.label));
        let _ = writeln!(
            out,
            " {} {before}{}",
            paint.blue(&format!("{pad} ·")),
            paint.red(&label)
        );
    } else {
        let _ = writeln!(
            out,
            " {} {}",
            paint.blue(&format!("{pad} ·")),
            paint.red(&plain(&mistake.label))
        );
    }
    let _ = writeln!(out, " {pad} {}", paint.blue("╰────"));
    if let Some(help) = &mistake.help {
        let _ = writeln!(out, " {pad} {} {}", paint.cyan("help:"), plain(help));
    }
}

/// A line as it is shown, and what of it is marked.
struct Shown {
    text: String,
    /// How many characters are left out before it.
    from: usize,
    /// How many columns stand before the mark.
    before: usize,
    /// How many columns are marked, at least one.
    marked: usize,
}

impl Shown {
    fn new(line: &str, column: u32, end_column: u32) -> Self {
        let index = |column: u32| usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        let chars: Vec<char> = line.chars().collect();
        let start = index(column).min(chars.len());
        let end = index(end_column).clamp(start, chars.len());
        let from = if end <= WIDTH {
            0
        } else {
            start.saturating_sub(WIDTH / 3)
        };
        let to = chars.len().min(from + WIDTH);
        let show = |from: usize, to: usize| -> String {
            chars
                .get(from..to)
                .unwrap_or_default()
                .iter()
                .map(|c| visible(*c))
                .collect()
        };
        let (left, right) = (
            if from > 0 { "…" } else { "" },
            if to < chars.len() { "…" } else { "" },
        );
        let width = |s: &str| s.chars().count();
        Self {
            text: format!("{left}{}{right}", show(from, to)).trim_end().to_owned(),
            from,
            before: width(left) + width(&show(from, start)),
            marked: width(&show(start, end.min(to))).max(1),
        }
    }
}

fn line(text: &str, number: u32) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    text.split('\n')
        .nth(index)
        .map(|l| l.strip_suffix('\r').unwrap_or(l))
}

/// Text for a terminal: tabs as blanks, other control characters as a sign.
fn plain(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> String {
    match c {
        '\t' => "    ".to_owned(),
        '\n' => " ".to_owned(),
        c if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
        {
            '\u{fffd}'.to_string()
        }
        c => c.to_string(),
    }
}

/// Colours, if there are any.
struct Paint(bool);

impl Paint {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn red(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    fn blue(&self, text: &str) -> String {
        self.paint("34", text)
    }

    fn cyan(&self, text: &str) -> String {
        self.paint("36", text)
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    fn mistake(file: &str, line: u32, column: u32, end_column: u32) -> Mistake {
        let place = Place {
            file: file.into(),
            line,
            column,
            end_column,
        };
        Mistake::new(
            "MS0100",
            &place,
            "it is \u{1b}[31mwrong",
            "here",
            Some("do it right".to_owned()),
        )
    }

    #[test]
    fn tabs_and_control_characters() {
        let files = [SourceFile {
            path: "a".into(),
            text: "x\n\tb\u{1b}ö c\r\n".into(),
        }];
        insta::assert_snapshot!(render(&[mistake("a", 2, 3, 5)], &files, false), @r"
        error[MS0100]: it is �[31mwrong
           ╭─[a:2:3]
         1 │ x
         2 │     b�ö c
           ·      ┬─ here
           ╰────
           help: do it right

        1 mistake in 1 file
        ");
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("{} wrong {}", "a".repeat(300), "b".repeat(300));
        let files = [SourceFile {
            path: "a".into(),
            text,
        }];
        insta::assert_snapshot!(render(&[mistake("a", 1, 302, 307)], &files, false), @r"
        error[MS0100]: it is �[31mwrong
           ╭─[a:1:302]
         1 │ …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa wrong bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
           ·                                          ┬──── here
           ╰────
           help: do it right

        1 mistake in 1 file
        ");
    }

    #[test]
    fn colours_say_the_same() {
        let files = [SourceFile {
            path: "a".into(),
            text: "x\ny z\n".into(),
        }];
        let mistakes = [mistake("a", 2, 1, 2), mistake("gone", 7, 1, 1)];
        let mut painted = render(&mistakes, &files, true);
        assert!(painted.contains("\u{1b}[1;31merror[MS0100]\u{1b}[0m"));
        for code in ["1;31", "34", "36", "1", "0"] {
            painted = painted.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(painted, render(&mistakes, &files, false));
        assert_eq!(render(&[], &files, true), "");
    }
}
