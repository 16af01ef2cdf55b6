//! Whatever is done to a project's files, reading them ends, and ends with an answer.

use mainstay_project::{CODES, Mistake, SourceFile, load, render};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::{EVERYTHING, files};

/// What is done to one file: a stretch of it is removed, doubled, or replaced.
#[derive(Debug, Clone)]
struct Edit {
    file: Index,
    from: Index,
    length: usize,
    new: Option<String>,
    twice: bool,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let pieces = prop_oneof![
        Just(None),
        proptest::sample::select(vec![
            "\"",
            "'''",
            "\"\"\"",
            "[",
            "]",
            "{",
            "}",
            "=",
            ",",
            "#",
            "\n",
            "\r\n",
            "-- ",
            "-- ///\n",
            "-- /// mainstay\n",
            ".",
            "\\",
            "0",
            "-1",
            "nan",
            "1e999",
            "[[project]]\n",
            "[project]\n",
            "[source.\"air.flights\"]\n",
            "[check.not_null]\n",
            "checks",
            "checks.not_null",
            "severity = 1\n",
            "job = \"a.b\"\n",
            "\"\"",
            "\u{feff}",
            "ö",
            "\u{0}",
            "2013-02-03",
            "12:00:00",
            "true",
            "= = ",
            "a.b.c.d = 1\n",
            "air.\"x\".y",
        ])
        .prop_map(|s| Some(s.to_owned())),
        "\\PC{0,8}".prop_map(Some),
    ];
    let edit = (any::<Index>(), any::<Index>(), 0usize..40, pieces, any::<bool>());
    let edit = edit.prop_map(|(file, from, length, new, twice)| Edit {
        file,
        from,
        length,
        new,
        twice,
    });
    proptest::collection::vec(edit, 1..4)
}

fn apply(edits: &[Edit]) -> Vec<SourceFile> {
    let mut files = files(EVERYTHING);
    for edit in edits {
        let index = edit.file.index(files.len());
        let text = &mut files[index].text;
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let from = floor(edit.from.index(text.len() + 1));
        let to = floor(from + edit.length);
        let cut = text[from..to].to_owned();
        let new = match &edit.new {
            Some(new) => new.clone(),
            None if edit.twice => format!("{cut}{cut}"),
            None => String::new(),
        };
        text.replace_range(from..to, &new);
    }
    files
}

fn is_inside(mistake: &Mistake, files: &[SourceFile]) -> bool {
    let Some(file) = files.iter().find(|f| f.path == mistake.file) else {
        return false;
    };
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let Some(line) = text.split('\n').nth(mistake.line as usize - 1) else {
        return false;
    };
    let width = line.strip_suffix('\r').unwrap_or(line).chars().count() as u32;
    mistake.column >= 1 && mistake.column <= mistake.end_column && mistake.end_column <= width + 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_edit_loads_or_is_a_mistake_at_a_place(edits in edits()) {
        let files = apply(&edits);
        let (declared, mistakes) = load(&files);
        prop_assert!(declared.is_some() || !mistakes.is_empty());
        for mistake in &mistakes {
            prop_assert!(is_inside(mistake, &files), "{mistake:?}");
            prop_assert!(CODES.iter().any(|c| c.code == mistake.code), "{mistake:?}");
        }
        for check in declared.iter().flat_map(|d| &d.checks) {
            if mistakes.is_empty() {
                prop_assert!(declared.as_ref().is_some_and(|d| d.may_have(&check.spec.dataset)));
            }
        }
        let text = render(&mistakes, &files, false);
        prop_assert_eq!(text.matches("error[MS").count() >= mistakes.len(), true);
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    /// Each part of a text says the place at which its first character really stands.
    #[test]
    fn texts_stand_where_they_say(edits in edits()) {
        let files = apply(&edits);
        let Some(declared) = load(&files).0 else { return Ok(()) };
        for job in &declared.jobs {
            let (text, file) = (&job.sql, files.iter().find(|f| f.path == job.sql.file()));
            let lines: Vec<&str> =
                file.map(|f| f.text.strip_prefix('\u{feff}').unwrap_or(&f.text).split('\n').collect()).unwrap_or_default();
            for (at, c) in text.as_str().char_indices().filter(|(_, c)| c.is_alphanumeric()) {
                let place = text.place(at..at + c.len_utf8());
                let line: Vec<char> = lines[place.line as usize - 1].chars().collect();
                let there = line[place.column as usize - 1];
                prop_assert!(there == c || there == '\\', "{c} at {place}");
            }
        }
    }
}
