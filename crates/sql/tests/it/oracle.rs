//! What is said to be read by the same slice, tried out: with only that slice in the table, the output's slice is the same.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use arrow::util::display::array_value_to_string;
use mainstay_model::DatasetName;
use mainstay_model::spec::Reads;
use mainstay_sql::{InputTable, analyse};

use crate::cases::CASES;
use crate::run::{Numbers, day, rows, run};
use crate::shop;

/// The rows of a table whose slice columns have these texts.
fn slice(table: &InputTable, batch: &RecordBatch, values: &[String]) -> RecordBatch {
    let keep: arrow::array::BooleanArray = (0..batch.num_rows())
        .map(|row| {
            Some(table.slice_columns.iter().zip(values).all(|(name, value)| {
                let column = batch.column_by_name(name).unwrap();
                let text = if column.is_null(row) {
                    "NULL".into()
                } else {
                    array_value_to_string(column, row).unwrap()
                };
                text == *value
            }))
        })
        .collect();
    filter_record_batch(batch, &keep).unwrap()
}

#[test]
fn the_same_slice_is_enough() {
    let inputs = shop::inputs();
    let mut tried = 0;
    for case in CASES.iter().filter(|c| !c.slice.is_empty()) {
        let names: Vec<String> = case.slice.iter().map(|s| (*s).to_owned()).collect();
        let found = analyse(case.sql, &inputs, &names).unwrap_or_else(|p| panic!("{}: {p:?}", case.about));
        if found.reads.values().all(|r| *r == Reads::All) {
            continue;
        }
        for seed in 0..2 {
            let mut numbers = Numbers(seed);
            let whole: BTreeMap<DatasetName, Vec<RecordBatch>> = inputs
                .iter()
                .map(|(name, t)| (name.clone(), vec![rows(t, 40, &mut numbers)]))
                .collect();
            let all = run(&found.plan, &whole);
            let at: Vec<usize> = names
                .iter()
                .map(|n| {
                    found
                        .columns
                        .names()
                        .position(|c| c == n)
                        .expect("a slice column")
                })
                .collect();
            let of = |rows: &[Vec<String>], values: &[String]| -> Vec<Vec<String>> {
                let own = |r: &&Vec<String>| at.iter().zip(values).all(|(i, v)| r[*i] == *v);
                rows.iter().filter(own).cloned().collect()
            };
            let firsts: Vec<String> = match case.slice[0] {
                "open" => ["true", "false", "NULL"].map(str::to_owned).to_vec(),
                _ => [1, 4, 8]
                    .into_iter()
                    .map(day)
                    .chain(["NULL".to_owned()])
                    .collect(),
            };
            let seconds: &[&str] = if names.len() > 1 { &["x", "NULL"] } else { &[""] };
            for first in &firsts {
                for second in seconds {
                    let values = vec![first.clone(), (*second).to_owned()];
                    let mut cut = whole.clone();
                    for (name, reads) in &found.reads {
                        if *reads == Reads::Same {
                            cut.insert(name.clone(), vec![slice(&inputs[name], &whole[name][0], &values)]);
                        }
                    }
                    let wanted = of(&all, &values);
                    assert_eq!(
                        of(&run(&found.plan, &cut), &values),
                        wanted,
                        "{} at {values:?}",
                        case.about
                    );
                    tried += wanted.len();
                }
            }
        }
    }
    // Slices without rows prove nothing.
    assert!(tried > 1000, "{tried}");
}
