//! What is passed on, what is computed, and what hides where rows come from.

use super::*;
use crate::input::InputTable;
use mainstay_model::{Column, ColumnType, Schema};

fn inputs() -> BTreeMap<DatasetName, InputTable> {
    let table = |name: &str, columns: &[&str]| {
        let columns = columns.iter().map(|c| Column {
            name: (*c).to_owned(),
            column_type: ColumnType::String,
        });
        let table = InputTable {
            schema: Schema(columns.collect()),
            slice_columns: vec!["day".to_owned()],
        };
        (name.parse().expect("a name"), table)
    };
    BTreeMap::from([
        table("air.flights", &["day", "carrier", "delay"]),
        table("air.airlines", &["carrier", "name"]),
    ])
}

fn ask(sql: &str) -> (Vec<String>, Vec<String>, usize) {
    let found = origins(sql, &inputs()).expect("a query");
    let columns = found.columns.iter();
    (
        columns
            .filter_map(|o| {
                Some(format!(
                    "{} = {}.{}",
                    o.output,
                    found.inputs.get(o.input)?.dataset,
                    o.column
                ))
            })
            .collect(),
        found.computed.into_keys().collect(),
        found.unknown.len(),
    )
}

#[test]
fn a_dataset_that_is_read_twice_is_two_inputs_with_conditions_of_their_own() {
    let sql = "SELECT a.day AS x, b.day AS y FROM air.flights a JOIN air.flights b ON a.carrier = b.carrier \
               WHERE a.delay > '5' AND (b.delay = 'x' OR b.day = 'y') AND a.day < b.day AND a.day IN (SELECT day FROM air.flights)";
    let found = origins(sql, &inputs()).expect("a query");
    let told: Vec<_> = found
        .inputs
        .iter()
        .map(|i| (i.alias.as_str(), i.conditions.join(" AND ")))
        .collect();
    assert_eq!(
        told,
        [
            ("a", "a.delay > '5'".to_owned()),
            ("b", "b.delay = 'x' OR b.day = 'y'".to_owned())
        ]
    );
    let columns: Vec<_> = found
        .columns
        .iter()
        .map(|o| (o.output.as_str(), o.input))
        .collect();
    assert_eq!(columns, [("x", 0), ("y", 1)]);
}

#[test]
fn what_is_passed_on_and_what_is_not() {
    let cases: [(&str, &[&str], &[&str], usize); 14] = [
        (
            "SELECT day, delay AS d FROM air.flights",
            &["d = air.flights.delay", "day = air.flights.day"],
            &[],
            0,
        ),
        (
            "SELECT f.* FROM air.flights AS f",
            &[
                "carrier = air.flights.carrier",
                "day = air.flights.day",
                "delay = air.flights.delay",
            ],
            &[],
            0,
        ),
        (
            "SELECT day, max(delay) AS m FROM air.flights GROUP BY day",
            &["day = air.flights.day"],
            &["m"],
            0,
        ),
        (
            "SELECT day AS d, count(*) AS n FROM air.flights GROUP BY 1",
            &["d = air.flights.day"],
            &["n"],
            0,
        ),
        (
            "SELECT day AS d, count(*) AS n FROM air.flights GROUP BY d",
            &["d = air.flights.day"],
            &["n"],
            0,
        ),
        (
            "SELECT upper(carrier) AS c, count(*) AS n FROM air.flights GROUP BY c",
            &[],
            &["c", "n"],
            0,
        ),
        (
            "SELECT f.carrier AS carrier, name FROM air.flights f JOIN air.airlines a ON f.carrier = a.carrier",
            &[
                "carrier = air.flights.carrier",
                "carrier = air.airlines.carrier",
                "name = air.airlines.name",
            ],
            &[],
            0,
        ),
        (
            "SELECT a.name, count(*) AS n FROM air.flights f, air.airlines a WHERE a.carrier = f.carrier GROUP BY a.name",
            &["name = air.airlines.name"],
            &["n"],
            0,
        ),
        (
            "SELECT day, name FROM air.flights f JOIN air.airlines a ON f.carrier = a.carrier OR f.delay = a.name",
            &["day = air.flights.day", "name = air.airlines.name"],
            &[],
            0,
        ),
        (
            "SELECT day, row_number() OVER (ORDER BY delay) AS r FROM air.flights",
            &["day = air.flights.day"],
            &["r"],
            0,
        ),
        (
            "SELECT day FROM (SELECT day FROM air.flights) AS q",
            &[],
            &["day"],
            1,
        ),
        (
            "WITH q AS (SELECT day FROM air.flights) SELECT day FROM q",
            &[],
            &[],
            1,
        ),
        (
            "SELECT day FROM air.flights UNION ALL SELECT name FROM air.airlines",
            &[],
            &[],
            1,
        ),
        (
            "SELECT day, delay FROM air.flights ORDER BY delay LIMIT 3",
            &["day = air.flights.day", "delay = air.flights.delay"],
            &[],
            1,
        ),
    ];
    for (sql, columns, computed, unknown) in cases {
        let found = ask(sql);
        let computed: Vec<String> = computed.iter().map(|c| (*c).to_owned()).collect();
        assert_eq!(
            (found.0.as_slice(), found.1, found.2),
            (
                columns
                    .iter()
                    .map(|c| (*c).to_owned())
                    .collect::<Vec<_>>()
                    .as_slice(),
                computed,
                unknown
            ),
            "{sql}"
        );
    }
}
