//! Tables for people: no borders, a row a thing, cut to the terminal's width.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

/// The rows that are shown before the rest is only counted.
pub(crate) const MOST_ROWS: usize = 60;

/// The terminal's width; unlimited where there is none.
fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 20).then_some(size.ws_col)
}

/// Lays rows out under their headings; columns of numbers are aligned right.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|h| h.to_uppercase()).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    as_named(&headings, rows, rows.len())
}

/// The same for columns that have names of their own, which are shown as they are; `of` is how many rows there are, of which
/// those beyond the first [`MOST_ROWS`] need not be given.
pub(crate) fn as_named(headings: &[&str], rows: &[Vec<String>], of: usize) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    if let Some(width) = width() {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    let numbers: Vec<bool> = (0..headings.len())
        .map(|i| !rows.is_empty() && rows.iter().all(|r| r.get(i).is_none_or(|v| is_number(v))))
        .collect();
    let align = |i: usize| {
        if numbers.get(i) == Some(&true) {
            CellAlignment::Right
        } else {
            CellAlignment::Left
        }
    };
    table.set_header(
        headings
            .iter()
            .enumerate()
            .map(|(i, h)| Cell::new(h).set_alignment(align(i))),
    );
    for row in rows.iter().take(MOST_ROWS) {
        table.add_row(
            row.iter()
                .enumerate()
                .map(|(i, v)| Cell::new(v).set_alignment(align(i))),
        );
    }
    let mut text: String = table
        .lines()
        .map(|l| format!("{}\n", l.trim_end().strip_prefix(' ').unwrap_or(l.trim_end())))
        .collect();
    if of > MOST_ROWS {
        text.push_str(&format!(
            "… and {} (--json has all)\n",
            mainstay_base::text::count((of - MOST_ROWS) as u64, "more row")
        ));
    }
    text
}

fn is_number(text: &str) -> bool {
    text.is_empty()
        || text == "-"
        || text == "∅"
        || text.chars().all(|c| c.is_ascii_digit() || ",.-+e%".contains(c))
}
