//! Jobs whose dependencies are wrong, as a faulty rule would have recorded them: they are found out, and what is published is right.

use mainstay_model::relation::Reads;
use mainstay_model::run::Against;
use mainstay_model::{DatasetName, RunId};

use crate::CancelToken;
use crate::run::shop::Shop;

const TOTAL: &str = "SELECT day, sum(pieces) OVER (ORDER BY day) AS pieces FROM shop.sales";

fn shop(query: &str, cross_check: u32) -> Shop {
    let shop = Shop::new();
    shop.job("total", "day", query);
    shop.settings(&format!("cross_check = {cross_check}\n"));
    for day in 1..=9 {
        sales(&shop, day, day);
    }
    shop
}

fn sales(shop: &Shop, day: u32, pieces: u32) {
    let text = format!("day,pieces\n2026-01-{day:02},{pieces}\n");
    shop.write(&format!("data/{day}.csv"), &text);
}

fn totals(shop: &Shop) -> Vec<i64> {
    shop.numbers("SELECT pieces FROM shop.total ORDER BY day, pieces")
}

#[test]
fn right_dependencies_come_out_the_same() {
    let shop = shop(TOTAL, 5);
    shop.apply(None);
    let ran = shop.run();
    assert_eq!(ran.len(), 1);
    let first = shop.checked(1).unwrap();
    assert_eq!(
        (first.against, first.differing, first.failed),
        (Against::Alone, Vec::new(), None)
    );
    assert_eq!(totals(&shop), [1, 3, 6, 10, 15, 21, 28, 36, 45]);
    // What was computed a second time leaves nothing behind.
    let table = shop.folder.path().join(".mainstay/data/main/shop/total");
    let folders: Vec<String> = std::fs::read_dir(table)
        .unwrap()
        .map(|f| f.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|f| f.starts_with('r'))
        .collect();
    assert_eq!(folders, ["r1-1"]);
}

#[test]
fn nothing_is_checked_if_the_project_says_so() {
    let shop = shop(TOTAL, 0);
    shop.apply(None);
    shop.run();
    assert_eq!(shop.checked(1), None);
}

#[test]
fn a_wrong_relation_is_found_with_new_code() {
    let shop = shop(TOTAL, 5);
    shop.apply(Some(&Reads::Same));
    let ran = shop.run();
    let found = shop.checked(1).unwrap();
    assert_eq!(found.against, Against::Alone);
    assert!(!found.differing.is_empty());
    // It is computed again at once, from everything.
    assert_eq!(ran.len(), 2);
    assert_eq!(ran[1].slices.len(), 9);
    assert_eq!(totals(&shop), [1, 3, 6, 10, 15, 21, 28, 36, 45]);
    assert!(shop.run().is_empty());
    sales(&shop, 3, 30);
    shop.run();
    assert_eq!(totals(&shop), [1, 3, 33, 37, 42, 48, 55, 63, 72]);
    let deps = shop
        .instance
        .dependencies(
            &"shop.total".parse::<DatasetName>().unwrap(),
            &mainstay_model::Selection::All,
        )
        .unwrap();
    assert_eq!(deps.rules["shop.sales"], "everything");
    assert!(
        deps.fallbacks
            .iter()
            .any(|f| f.message.starts_with("MS0506: in R-1"))
    );
    // Other code begins anew.
    shop.job("total", "day", "SELECT day, pieces FROM shop.sales");
    shop.apply(None);
    let deps = shop
        .instance
        .dependencies(
            &"shop.total".parse::<DatasetName>().unwrap(),
            &mainstay_model::Selection::All,
        )
        .unwrap();
    assert_eq!(deps.rules["shop.sales"], "the same slice");
}

#[test]
fn a_wrong_relation_is_found_later_and_what_is_published_is_right() {
    let shop = shop(TOTAL, 0);
    shop.apply(Some(&Reads::Same));
    shop.run();
    shop.settings("cross_check = 10000\n");
    shop.apply(Some(&Reads::Same));
    sales(&shop, 3, 30);
    let ran = shop.run();
    let found = shop.checked(2).unwrap();
    assert_eq!(found.against, Against::Everything);
    assert_eq!(found.differing, found.slices);
    assert_eq!(ran[0].slices, ["2026-01-03"]);
    assert_eq!(ran.len(), 2);
    assert_eq!(totals(&shop), [1, 3, 33, 37, 42, 48, 55, 63, 72]);
    assert_eq!(shop.shown("run/R-2")["cross_check"]["differing"][0], "2026-01-03");
    // The run is what was computed from everything, and replays so.
    shop.replays(&[RunId(2), RunId(3)]);
    let differing = "SELECT cross_check_differing FROM system.runs WHERE cross_check_differing > 0";
    assert_eq!(shop.numbers(differing), [1]);
    let why = crate::WhyRequest {
        thing: "run/R-2".parse().unwrap(),
        condition: None,
        prove: false,
    };
    let why = shop.instance.why(&why, &CancelToken::new(), &|_| {}).unwrap();
    assert!(why.causes.iter().any(|c| c.kind == "cross-check"), "{why:?}");
}

#[test]
fn an_error_of_another_slice_is_no_difference() {
    let each = "SELECT a.day, a.pieces + b.each AS pieces FROM shop.sales a \
                JOIN (SELECT day, 100 / pieces AS each FROM shop.sales) b ON b.day BETWEEN a.day - INTERVAL '1' DAY AND a.day";
    let shop = shop(each, 10_000);
    sales(&shop, 1, 0);
    shop.apply(None);
    let ran = shop.run_slice("shop.total", "2026-01-05");
    assert_eq!(ran[0].outcome, "succeeded", "{ran:?}");
    let checked = shop.checked(1).unwrap();
    assert_eq!(
        (checked.against, checked.differing.len()),
        (Against::Everything, 0)
    );
    assert!(checked.failed.is_some());
    assert_eq!(totals(&shop), [25, 30]);
}
