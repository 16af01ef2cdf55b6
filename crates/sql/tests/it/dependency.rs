//! Which inputs are read by the same slice.

use mainstay_model::spec::Reads;
use mainstay_sql::analyse;

use crate::cases::CASES;
use crate::shop;

#[test]
fn inputs_read_by_the_same_slice_are_found() {
    let inputs = shop::inputs();
    let mut wrong = Vec::new();
    for case in CASES {
        let slice: Vec<String> = case.slice.iter().map(|s| (*s).to_owned()).collect();
        let found = match analyse(case.sql, &inputs, &slice) {
            Ok(found) => found.reads,
            Err(problems) => panic!(
                "{}: {}",
                case.about,
                problems
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; ")
            ),
        };
        let named = |what: Reads| {
            let mut names: Vec<String> = found
                .iter()
                .filter(|(_, r)| **r == what)
                .map(|(n, _)| n.to_string())
                .collect();
            names.sort_unstable();
            names
        };
        let sorted = |names: &[&str]| {
            let mut names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            names.sort_unstable();
            names
        };
        if named(Reads::Same) != sorted(case.same) || named(Reads::All) != sorted(case.all) {
            wrong.push(format!(
                "{}: same {:?}, all {:?}",
                case.about,
                named(Reads::Same),
                named(Reads::All)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_query_with_too_many_constants_reads_everything() {
    let days: Vec<String> = (0..60).map(|d| format!("DATE '20{:02}-01-01'", d + 20)).collect();
    let sql = format!("SELECT ds, id FROM shop.orders WHERE ds IN ({})", days.join(", "));
    let found = analyse(&sql, &shop::inputs(), &["ds".to_owned()]).expect("a query");
    assert_eq!(found.reads.values().copied().collect::<Vec<_>>(), [Reads::All]);
}
