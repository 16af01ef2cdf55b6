//! What is said of slices, tried out: whatever happens to what is not read, the slice is the same; and no slice comes from nowhere.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::util::display::array_value_to_string;
use mainstay_model::{DatasetName, SliceKey};
use mainstay_sql::{Analysed, InputTable, SliceTable, analyse};

use crate::cases::CASES;
use crate::dependency::{columns, output_columns, read};
use crate::run::{Numbers, attempt, day, rows, run};
use crate::shop;

type Tables = BTreeMap<DatasetName, Vec<RecordBatch>>;

/// The slices of the rows of a table.
fn slices_of(table: &InputTable, batch: &RecordBatch) -> Vec<SliceKey> {
    let value = |row: usize, name: &String| {
        let column = batch.column_by_name(name).unwrap();
        (!column.is_null(row)).then(|| array_value_to_string(column, row).unwrap())
    };
    (0..batch.num_rows())
        .map(|row| SliceKey(table.slice_columns.iter().map(|n| value(row, n)).collect()))
        .collect()
}

/// The tables with other rows in all slices that are not read for a slice: none, or new ones.
fn mutated(
    found: &Analysed,
    slice: &[String],
    asked: &SliceKey,
    tables: &Tables,
    with_new: bool,
    numbers: &mut Numbers,
) -> Tables {
    let inputs = shop::inputs();
    let output = SliceTable::new(&output_columns(found, slice), &[asked]).unwrap();
    let mut changed = tables.clone();
    for (name, reads) in &found.reads {
        let table = &inputs[name];
        let keep = |batch: &RecordBatch, wanted: bool| {
            let keys = slices_of(table, batch);
            let distinct: BTreeSet<&SliceKey> = keys.iter().collect();
            let distinct: Vec<&SliceKey> = distinct.into_iter().collect();
            let of_input = SliceTable::new(&columns(table), &distinct).unwrap();
            let met = read(reads, &of_input, &distinct, &output, asked);
            let kept: BTreeSet<&SliceKey> = distinct
                .iter()
                .zip(met)
                .filter(|(_, m)| *m)
                .map(|(s, _)| *s)
                .collect();
            let mask: BooleanArray = keys.iter().map(|k| Some(kept.contains(k) == wanted)).collect();
            filter_record_batch(batch, &mask).unwrap()
        };
        let whole = &tables[name][0];
        let mut parts = vec![keep(whole, true)];
        if with_new {
            parts.push(keep(&rows(table, 40, numbers), false));
        }
        changed.insert(
            name.clone(),
            vec![concat_batches(&whole.schema(), &parts).unwrap()],
        );
    }
    changed
}

/// Tries a query out; returns how many rows were compared.
pub(crate) fn try_out(
    about: &str,
    sql: &str,
    slice: &[String],
    asked: &[SliceKey],
    seeds: std::ops::Range<u64>,
) -> usize {
    let inputs = shop::inputs();
    let found = analyse(sql, &inputs, slice).unwrap_or_else(|p| panic!("{about}: {sql}\n{p:?}"));
    let place = |n: &String| found.columns.names().position(|c| c == n).unwrap();
    let at: Vec<usize> = slice.iter().map(place).collect();
    let key_of = |row: &[String]| {
        SliceKey(
            at.iter()
                .map(|i| (row[*i] != "NULL").then(|| row[*i].clone()))
                .collect(),
        )
    };
    let mut tried = 0;
    for seed in seeds {
        let mut numbers = Numbers(seed);
        let tables: Tables = inputs
            .iter()
            .filter(|(name, _)| found.reads.contains_key(*name))
            .map(|(name, t)| (name.clone(), vec![rows(t, 40, &mut numbers)]))
            .collect();
        // Some queries that can be planned cannot be executed.
        let Ok(all) = attempt(&found.plan, &tables) else {
            return tried;
        };
        from_somewhere(
            about,
            sql,
            slice,
            &found,
            &tables,
            &all.iter().map(|r| key_of(r)).collect(),
        );
        for (i, asked) in asked.iter().enumerate() {
            let own = |rows: &[Vec<String>]| -> Vec<Vec<String>> {
                rows.iter().filter(|r| key_of(r) == *asked).cloned().collect()
            };
            let wanted = own(&all);
            let with_new = (i as u64 + seed).is_multiple_of(2);
            let changed = mutated(&found, slice, asked, &tables, with_new, &mut numbers);
            assert_eq!(
                own(&run(&found.plan, &changed)),
                wanted,
                "{about} at {asked}, seed {seed}: {sql}\n{:#?}",
                found.reads
            );
            tried += wanted.len();
        }
    }
    tried
}

/// Every slice that comes out is an image of an origin.
fn from_somewhere(
    about: &str,
    sql: &str,
    slice: &[String],
    found: &Analysed,
    tables: &Tables,
    came: &BTreeSet<SliceKey>,
) {
    let Some(origins) = &found.origins else { return };
    let inputs = shop::inputs();
    let types = output_columns(found, slice);
    let mut known: BTreeSet<SliceKey> = BTreeSet::new();
    for origin in origins {
        let (columns, keys) = match &origin.dataset {
            Some(name) => (columns(&inputs[name]), slices_of(&inputs[name], &tables[name][0])),
            None => (Vec::new(), vec![SliceKey::whole()]),
        };
        let distinct: BTreeSet<&SliceKey> = keys.iter().collect();
        let distinct: Vec<&SliceKey> = distinct.into_iter().collect();
        let table = SliceTable::new(&columns, &distinct).unwrap();
        let values: Vec<Vec<Option<String>>> = origin
            .values
            .iter()
            .zip(&types)
            .map(|(v, t)| table.texts(v, &t.column_type).unwrap())
            .collect();
        known
            .extend((0..distinct.len()).map(|row| SliceKey(values.iter().map(|v| v[row].clone()).collect())));
    }
    let lost: Vec<&SliceKey> = came.difference(&known).collect();
    assert!(
        lost.is_empty(),
        "{about}: {sql}\n{lost:?} come from nowhere: {origins:?}"
    );
}

/// Days of the made-up rows, and none.
pub(crate) fn asked() -> Vec<SliceKey> {
    let days = [0, 1, 4, 8, 9].map(|n| SliceKey::of(day(n)));
    days.into_iter().chain([SliceKey(vec![None])]).collect()
}

#[test]
fn nothing_but_what_is_read_matters() {
    let slice = ["ds".to_owned()];
    let mut tried = 0;
    // 46 fails on purpose: errors belong to slices.
    for case in CASES.iter().filter(|c| !c.about.starts_with("46")) {
        tried += try_out(case.about, case.sql, &slice, &asked(), 0..2);
    }
    // Slices without rows prove nothing.
    assert!(tried > 3000, "{tried}");
}

#[test]
fn several_slice_columns() {
    let asked: Vec<SliceKey> = [Some(day(1)), Some(day(8)), None]
        .into_iter()
        .flat_map(|d| ["x", "y"].map(|s| SliceKey(vec![d.clone(), Some(s.to_owned())])))
        .chain([SliceKey(vec![None, None])])
        .collect();
    let slice = ["ds".to_owned(), "shop".to_owned()];
    let mut tried = 0;
    for sql in [
        "SELECT ds, shop, sum(amount) AS a FROM shop.refunds GROUP BY ds, shop",
        "SELECT f.ds, f.shop, f.amount, r.why FROM shop.refunds f LEFT JOIN shop.returns r ON f.id = r.id AND f.ds = r.ds AND f.shop = r.shop",
        "SELECT f.ds, r.shop, f.amount, r.why FROM shop.refunds f LEFT JOIN shop.returns r ON f.id = r.id AND f.ds = r.ds",
        "SELECT ds, 'x' AS shop, amount FROM shop.refunds",
        "SELECT ds, shop, sum(amount) AS a FROM shop.refunds GROUP BY ROLLUP (ds, shop)",
        "SELECT o.ds, f.shop, o.id FROM shop.orders o LEFT JOIN shop.refunds f ON f.ds BETWEEN o.ds - INTERVAL '2' DAY AND o.ds",
        "SELECT ds, shop, sum(amount) OVER (PARTITION BY shop ORDER BY ds) AS s FROM shop.refunds",
        "SELECT ds, upper(shop) AS shop, amount FROM shop.refunds UNION ALL SELECT ds, lower(why), 1 FROM shop.returns",
    ] {
        tried += try_out("two columns", sql, &slice, &asked, 0..3);
    }
    assert!(tried > 50, "{tried}");
}
