//! Project files in, resources and mistakes out.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop at what they did not expect"
)]

mod codes;
mod loading;
mod mistakes;
mod random;
mod schemas;

use mainstay_project::{SourceFile, load, render};

/// A project that uses all there is, without a mistake.
const EVERYTHING: &[(&str, &str)] = &[
    ("mainstay.toml", include_str!("everything/mainstay.toml")),
    ("air/more.toml", include_str!("everything/more.toml")),
    (
        "jobs/air/daily_delays.sql",
        include_str!("everything/daily_delays.sql"),
    ),
    ("jobs/air/plain.sql", include_str!("everything/plain.sql")),
];

/// Files by their paths.
fn files(list: &[(&str, &str)]) -> Vec<SourceFile> {
    list.iter()
        .map(|(path, text)| SourceFile {
            path: (*path).into(),
            text: (*text).into(),
        })
        .collect()
}

/// What people see of the mistakes in these files.
fn seen(list: &[(&str, &str)]) -> String {
    let files = files(list);
    render(&load(&files).1, &files, false)
}
