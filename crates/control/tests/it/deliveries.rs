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
