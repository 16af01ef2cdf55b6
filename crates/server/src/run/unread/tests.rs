//! Changes that a job does not look at: what it has is taken as it is, and comes from the new content, too.

use mainstay_model::RunId;

use crate::run::shop::Shop;

const FILES: &str = "day,shop,pieces,note\n";

fn day(shop: &Shop, day: u32, rows: &[&str]) {
    let rows: Vec<String> = rows.iter().map(|r| format!("2026-01-{day:02},{r}\n")).collect();
    shop.write(&format!("data/{day}.csv"), &format!("{FILES}{}", rows.concat()));
}

fn shop() -> Shop {
    let shop = Shop::new();
    shop.job(
        "daily",
        "day",
        "SELECT day, sum(pieces) AS pieces FROM shop.sales GROUP BY day",
    );
    shop.job("noted", "day", "SELECT day, note FROM shop.sales");
    shop.job(
        "north",
        "day",
        "SELECT day, pieces, note FROM shop.sales WHERE shop = 'north'",
    );
    shop.job(
        "all",
        "",
        "SELECT shop, sum(pieces) AS pieces FROM shop.sales GROUP BY shop",
    );
    shop.job(
        "before",
        "day",
        "SELECT a.day, b.pieces FROM shop.sales a JOIN shop.sales b ON b.day BETWEEN a.day - INTERVAL '1' DAY AND a.day",
    );
    for n in 1..=5 {
        day(&shop, n, &["north,1,a", "south,2,b"]);
    }
    shop.settings("");
    shop.apply(None);
    shop
}

/// By job, how many slices a run had and how many it took as they were, and whether it computed anything.
fn ran(shop: &Shop) -> Vec<(String, usize, u64, bool)> {
    let mut runs: Vec<_> = shop
        .run()
        .into_iter()
        .map(|r| {
            assert_eq!(r.outcome, "succeeded", "{:?}", r.error);
            let job = r.job.trim_start_matches("shop.").to_owned();
            (job, r.slices.len(), r.unread, r.reused)
        })
        .collect();
    runs.sort();
    runs
}

fn expected(all: &[(&str, usize, u64, bool)]) -> Vec<(String, usize, u64, bool)> {
    all.iter()
        .map(|(j, n, u, r)| ((*j).to_owned(), *n, *u, *r))
        .collect()
}

#[test]
fn a_column_that_is_not_read_stops_there() {
    let shop = shop();
    assert_eq!(ran(&shop).len(), 5);
    day(&shop, 3, &["north,1,a", "south,2,c"]);
    let runs = ran(&shop);
    assert_eq!(
        runs,
        expected(&[
            ("all", 1, 1, true),
            ("before", 2, 2, true),
            ("daily", 1, 1, true),
            ("north", 1, 1, true),
            ("noted", 1, 0, false),
        ])
    );
    // It is recorded: nothing is asked twice.
    assert!(ran(&shop).is_empty());
    // What is read is computed, from what was taken as it was before.
    day(&shop, 3, &["north,1,z", "south,3,c"]);
    let runs = ran(&shop);
    assert_eq!(
        runs,
        expected(&[
            ("all", 1, 0, false),
            ("before", 2, 0, false),
            ("daily", 1, 0, false),
            ("north", 1, 0, false),
            ("noted", 1, 0, false),
        ])
    );
    assert_eq!(
        shop.numbers("SELECT pieces FROM shop.daily ORDER BY day"),
        [3, 3, 4, 3, 3]
    );
    assert_eq!(shop.numbers("SELECT pieces FROM shop.all ORDER BY shop"), [5, 11]);
    let runs: Vec<RunId> = (1..=15).map(RunId).collect();
    shop.replays(&runs);
}

#[test]
fn rows_that_are_filtered_out_stop_there() {
    let shop = shop();
    ran(&shop);
    // A new day of which nothing is read, and a row more on another.
    day(&shop, 6, &["south,2,b"]);
    day(&shop, 2, &["north,1,a", "south,2,b", "south,7,d"]);
    let runs = ran(&shop);
    let north = runs.iter().find(|r| r.0 == "north").unwrap();
    assert_eq!((north.1, north.2), (2, 1), "{runs:?}");
    assert_eq!(
        shop.numbers("SELECT pieces FROM shop.north ORDER BY day"),
        [1, 1, 1, 1, 1]
    );
    assert_eq!(shop.numbers("SELECT pieces FROM shop.all ORDER BY shop"), [5, 19]);
    assert!(ran(&shop).is_empty());
}

#[test]
fn several_changes_are_told_apart() {
    let shop = shop();
    ran(&shop);
    day(&shop, 2, &["north,1,a", "south,2,other"]);
    day(&shop, 5, &["north,9,a", "south,2,b"]);
    let runs = ran(&shop);
    let of = |name: &str| {
        let r = runs.iter().find(|r| r.0 == name).unwrap();
        (r.1, r.2)
    };
    assert_eq!(of("daily"), (2, 1));
    // The days 2 and 3 read the 2nd, the 5th reads itself.
    assert_eq!(of("before"), (3, 2));
    assert_eq!(
        shop.numbers("SELECT pieces FROM shop.daily ORDER BY day"),
        [3, 3, 3, 3, 11]
    );
}

#[test]
fn the_engine_matters_only_if_the_project_says_so() {
    let shop = shop();
    ran(&shop);
    assert!(ran(&shop).is_empty());
    // Turned on, everything was computed by this engine already; and off again.
    shop.settings("recompute_on_engine = true\n");
    shop.apply(None);
    let runs = ran(&shop);
    assert_eq!(runs.len(), 5);
    assert!(runs.iter().all(|r| r.3), "{runs:?}");
    assert!(ran(&shop).is_empty());
    shop.settings("");
    shop.apply(None);
    assert!(ran(&shop).iter().all(|r| r.3));
}

#[test]
fn forced_is_computed() {
    let shop = shop();
    ran(&shop);
    day(&shop, 3, &["north,1,a", "south,2,c"]);
    assert!(shop.force().iter().all(|r| r.unread == 0 && !r.reused));
}

#[test]
fn what_was_sliced_another_way_is_computed() {
    let shop = shop();
    ran(&shop);
    let plain = "SELECT day, note, pieces FROM shop.sales";
    shop.job("copy", "", plain);
    shop.apply(None);
    ran(&shop);
    for slice in ["day", "", "note", "day"] {
        shop.job("copy", slice, plain);
        shop.apply(None);
        let runs = ran(&shop);
        assert!(runs.iter().all(|r| r.2 == 0), "{slice}: {runs:?}");
        assert_eq!(shop.numbers("SELECT sum(pieces) FROM shop.copy"), [15]);
    }
}
