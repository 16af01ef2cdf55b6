use std::collections::BTreeMap;
use mainstay_model::*;
use mainstay_sql::*;
fn table(columns: &str, slice: &[&str]) -> InputTable {
    let column = |c: &str| { let (name, t) = c.trim().split_once(' ').unwrap(); Column { name: name.into(), column_type: t.parse().unwrap() } };
    InputTable { schema: Schema(columns.split(';').map(column).collect()), slice_columns: slice.iter().map(|s| (*s).to_owned()).collect() }
}
fn main() {
    let inputs: BTreeMap<DatasetName, InputTable> = [
        ("shop.orders", table("id long; cust long; amount long; ts timestamp_ntz; items array<long>; ds date", &["ds"])),
        ("shop.clicks", table("cust long; n long; ds date", &["ds"])),
    ].into_iter().map(|(n, t)| (n.parse().unwrap(), t)).collect();
    for sql in std::env::args().skip(1) {
        println!("== {sql}");
        let slice = vec!["ds".to_owned()];
        match analyse(&sql, &inputs, &slice) {
            Ok(a) => {
                for (n, r) in &a.reads { println!("  {n}: {r}"); }
                println!("  origins {:?}", a.origins);
                for w in &a.widened { println!("  ! {} {} {}", w.input, w.operator, w.message); }
            }
            Err(p) => println!("{p:?}"),
        }
    }
}
