//! The datasets of the tests: orders and clicks by day, refunds by day and shop, customers whole.

use std::collections::BTreeMap;

use mainstay_model::{Column, DatasetName, Schema};
use mainstay_sql::InputTable;

pub(crate) fn table(columns: &str, slice: &[&str]) -> InputTable {
    let column = |c: &str| {
        let (name, t) = c.trim().split_once(' ').unwrap();
        Column {
            name: name.into(),
            column_type: t.parse().unwrap(),
        }
    };
    InputTable {
        schema: Schema(columns.split(';').map(column).collect()),
        slice_columns: slice.iter().map(|s| (*s).to_owned()).collect(),
    }
}

pub(crate) fn inputs() -> BTreeMap<DatasetName, InputTable> {
    [
        (
            "shop.orders",
            table(
                "id long; cust long; amount long; ts timestamp_ntz; items array<long>; ds date",
                &["ds"],
            ),
        ),
        ("shop.clicks", table("cust long; n long; ds date", &["ds"])),
        ("shop.views", table("cust long; seen long; ds date", &["ds"])),
        (
            "shop.refunds",
            table(
                "id long; shop string; amount decimal(12,2); ds date",
                &["ds", "shop"],
            ),
        ),
        (
            "shop.returns",
            table("id long; shop string; why string; ds date", &["ds", "shop"]),
        ),
        (
            "shop.events",
            table("kind integer; open boolean; note map<string, string>", &["open"]),
        ),
        ("shop.cust", table("cust long; name string; Region string", &[])),
    ]
    .into_iter()
    .map(|(name, table)| (name.parse().unwrap(), table))
    .collect()
}
