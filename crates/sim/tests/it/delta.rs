//! Published tables as other Delta readers see them.

use std::process::Command;

use mainstay_sim::{Sandbox, python};

const READ: &str = "
import os
import sys
from deltalake import DeltaTable
t = DeltaTable(sys.argv[1])
rows = t.to_pyarrow_table()
print(t.version(), rows.num_rows, sum(rows.column('pieces').to_pylist()), ','.join(t.metadata().partition_columns), flush=True)
# Threads of its libraries can abort an ordinary exit; the answer is out already.
os._exit(0)
";

fn read(python: &std::path::Path, location: &str) -> String {
    let out = Command::new(python)
        .args(["-c", READ, location])
        .output()
        .expect("python starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[test]
fn another_reader_sees_what_was_published() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: the tests' Python packages are not installed (cargo xtask tools)");
        return;
    };
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let shown = s
        .run(["show", "shop.daily_sales", "--json"])
        .expect_status(0)
        .json();
    let location = shown["location"].as_str().unwrap_or_default().to_owned();
    assert_eq!(read(&python, &location), "0 4 10 day");
    s.write(
        "data/orders/2026-01-02.csv",
        "day,product,pieces,price\n2026-01-02,tea,5,3.50\n",
    );
    let _ = s.run(["run"]).expect_status(0);
    assert_eq!(read(&python, &location), "1 3 9 day");
}
