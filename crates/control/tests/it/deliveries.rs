//! Deliveries: once by content, replaced by name, set aside alone.

use mainstay_model::delivery::Outcome;
use mainstay_model::fact::Fact;

use crate::world::{World, digest, name};

fn outcomes(facts: &[Fact]) -> Vec<&'static str> {
    let word = |f: &Fact| match f {
        Fact::Delivered(d) => Some(match d.delivery.outcome {
            Outcome::Taken { .. } => "taken",
            Outcome::Duplicate { .. } => "duplicate",
            Outcome::SetAside { .. } => "set aside",
            Outcome::Held { .. } => "held",
        }),
        _ => None,
    };
    facts.iter().filter_map(word).collect()
}

#[test]
fn the_same_content_changes_nothing_under_any_name() {
    let mut w = World::default();
    w.deliver(&[("a", "X", Some(&[("1", 7)]))]);
    let facts = w.deliver(&[("a", "X", Some(&[("1", 7)])), ("b", "X", Some(&[("1", 7)]))]);
    assert_eq!(outcomes(&facts), ["duplicate", "duplicate"]);
    assert_eq!(w.state.main.datasets[&name("air.flights")].version(), 1);
    assert_eq!(w.slices("air.flights")["1"], digest(7));
}

#[test]
fn a_changed_file_replaces_what_came_from_it() {
    let mut w = World::default();
    w.deliver(&[
        ("a", "X", Some(&[("1", 1), ("2", 2)])),
        ("b", "Y", Some(&[("2", 20)])),
    ]);
    w.deliver(&[("a", "Z", Some(&[("2", 3)]))]);
    let slices = w.slices("air.flights");
    assert_eq!(
        slices.get("1"),
        None,
        "the slice that only the old file had is gone"
    );
    assert_eq!(slices["2"], digest(3).union(digest(20)));
}

#[test]
fn a_bad_file_stops_nobody_and_keeps_what_it_brought_before() {
    let mut w = World::default();
    w.deliver(&[("a", "X", Some(&[("1", 1)]))]);
    let facts = w.deliver(&[("a", "broken", None), ("b", "Y", Some(&[("2", 2)]))]);
    assert_eq!(outcomes(&facts), ["set aside", "taken"]);
    assert_eq!(w.slices("air.flights").len(), 2);
}

#[test]
fn a_copy_takes_over_when_its_original_changes() {
    let mut w = World::default();
    w.deliver(&[("a", "X", Some(&[("1", 1)])), ("b", "X", Some(&[("1", 1)]))]);
    w.deliver(&[("a", "Y", Some(&[("1", 9)]))]);
    assert_eq!(w.slices("air.flights")["1"], digest(9));
    w.deliver(&[("b", "X", Some(&[("1", 1)]))]);
    assert_eq!(w.slices("air.flights")["1"], digest(9).union(digest(1)));
}

#[test]
fn only_bad_files_publish_nothing() {
    let mut w = World::default();
    let facts = w.deliver(&[("a", "broken", None)]);
    assert_eq!(facts.len(), 1);
    assert!(w.state.main.datasets.is_empty());
}

#[test]
fn what_is_read_another_way_replaces_what_was_read_before_and_leaves_no_old_slice() {
    let mut w = World::default();
    w.deliver(&[
        ("b", "X", Some(&[("day 1", 1)])),
        ("c", "Y", Some(&[("day 2", 2)])),
        ("d", "X", Some(&[("day 1", 1)])),
    ]);
    w.reading = 1;
    // A copy that comes first by name takes over; its original is the copy now.
    let facts = w.deliver(&[
        ("a", "X", Some(&[("month 1", 11)])),
        ("b", "X", Some(&[("month 1", 12)])),
        ("c", "Y", Some(&[("month 1", 13)])),
        ("d", "X", Some(&[("month 1", 14)])),
    ]);
    assert_eq!(outcomes(&facts), ["taken", "duplicate", "taken", "duplicate"]);
    let slices = w.slices("air.flights");
    assert_eq!(slices.keys().collect::<Vec<_>>(), ["month 1"]);
    assert_eq!(slices["month 1"], digest(11).union(digest(13)));
    let files = &w.state.sources[&name("air.flights")];
    let read: Vec<_> = files
        .iter()
        .map(|(f, s)| (f.as_str(), s.reading.is_some()))
        .collect();
    assert_eq!(read, [("a", true), ("b", false), ("c", true), ("d", false)]);
    assert_eq!(
        outcomes(&w.deliver(&[("c", "Y", Some(&[("month 1", 13)]))])),
        ["duplicate"]
    );
    assert_eq!(w.refold(), w.state);
}

#[test]
fn a_file_that_cannot_be_read_another_way_says_still_how_its_rows_were_read() {
    let mut w = World::default();
    w.deliver(&[("a", "X", Some(&[("1", 1)]))]);
    let before = w.state.sources[&name("air.flights")]["a"].reading;
    w.reading = 1;
    w.deliver(&[("a", "X", None)]);
    let file = &w.state.sources[&name("air.flights")]["a"];
    assert_eq!(file.reading, before);
    assert_ne!(file.last.reading, before);
}
