//! Every code has an example that makes this mistake and no other.

use std::fmt::Write;

use mainstay_project::{CODES, load, render};

use crate::files;

#[test]
fn each_example_makes_its_mistake_only() {
    for code in CODES {
        let (_, mistakes) = load(&files(code.example));
        let found: Vec<&str> = mistakes.iter().map(|m| m.code).collect();
        assert_eq!(found, [code.code], "{}: {mistakes:#?}", code.title);
    }
}

#[test]
fn codes_are_in_order_and_said_once() {
    for (pair, number) in CODES.windows(2).zip(102..) {
        assert_eq!(pair[1].code, format!("MS{number:04}"));
        assert_ne!(pair[0].title, pair[1].title);
    }
}

/// What people see, all of it: a change of any wording is a change of this snapshot.
#[test]
fn what_people_see() {
    let mut all = String::new();
    for code in CODES {
        let files = files(code.example);
        let text = render(&load(&files).1, &files, false);
        let _ = writeln!(all, "## {}\n\n{text}", code.title);
    }
    insta::assert_snapshot!(all);
}
