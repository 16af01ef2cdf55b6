//! Sources and tables on an S3-like server, through the real binary.

#[path = "../../../storage/tests/it/server.rs"]
pub(super) mod server;

use std::path::Path;
use std::process::Command;

use mainstay_server::step::STEPS;
use mainstay_sim::{Outcome, Sandbox, python};
use mainstay_storage::{Store, open_with};

use self::server::Server;

const FIRST: &str = "day,product,pieces,price\n2026-01-01,tea,2,3.50\n2026-01-01,cake,1,4.20\n";
const SECOND: &str = "day,product,pieces,price\n2026-01-02,tea,4,3.50\n";
const MORE: &str = "day,product,pieces,price\n2026-01-02,tea,5,3.50\n2026-01-02,coffee,2,2.80\n";

/// A project whose files come from a bucket, and whose tables are in it.
struct Lake {
    server: Server,
    sandbox: Sandbox,
}

impl Lake {
    fn new() -> Option<Self> {
        let server = Server::start("lake")?;
        let mut sandbox = Sandbox::shop();
        for (name, value) in &server.environment() {
            sandbox = sandbox.with(name, value);
        }
        let lake = Self { server, sandbox };
        lake.project(|text| {
            text.replace("\"data/orders/", "\"s3://lake/in/orders/")
                .replace("[project]\n", "[project]\nstore = \"s3://lake/tables\"\n")
        });
        Some(lake)
    }

    fn project(&self, change: impl FnOnce(&str) -> String) {
        let file = self.sandbox.path().join("mainstay.toml");
        let text = std::fs::read_to_string(file).expect("the project");
        self.sandbox.write("mainstay.toml", change(&text));
    }

    fn store(&self, prefix: &str) -> Store {
        let url = format!("s3://lake/{prefix}");
        open_with(&url, Path::new("/"), &self.server.environment()).expect("a store")
    }

    fn put(&self, file: &str, text: &'static str) {
        let store = self.store("in");
        let done = runtime().block_on(async { store.put(&format!("orders/{file}"), text.into()).await });
        done.expect("a put");
    }

    /// The objects below a prefix.
    fn objects(&self, prefix: &str) -> Vec<String> {
        let store = self.store(prefix);
        let found = runtime()
            .block_on(async { store.list("**").await })
            .expect("a list");
        found.into_iter().map(|f| f.path).collect()
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.sandbox.run(arguments)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

const READ: &str = "
import os
import sys
from deltalake import DeltaTable
options = {name: value for name, value in os.environ.items() if name.startswith('AWS_')}
t = DeltaTable(sys.argv[1], storage_options=options)
rows = t.to_pyarrow_table()
print(t.version(), rows.num_rows, sum(rows.column('pieces').to_pylist()), flush=True)
os._exit(0)
";

#[test]
fn files_come_from_a_bucket_and_tables_go_there() {
    let Some(lake) = Lake::new() else { return };
    lake.put("1.csv", FIRST);
    lake.put("2.csv", SECOND);
    let _ = lake.run(&["apply"]).expect_status(0);
    let _ = lake.run(&["run"]).expect_status(0);
    let again = lake.run(&["run"]).expect_status(0);
    assert!(again.stdout.contains("nothing to run"), "{}", again.stdout);
    // A file that is put again with another content replaces what came from it.
    lake.put("2.csv", MORE);
    let _ = lake.run(&["run"]).expect_status(0);
    let sold = lake
        .sandbox
        .query("SELECT sum(pieces) AS n FROM shop.daily_sales");
    assert_eq!(sold[0]["n"], 10);

    let tea = "product = 'tea' AND day = '2026-01-02'";
    let amend = [
        "amend",
        "shop.orders",
        "--where",
        tea,
        "--set",
        "pieces = 1",
        "--reason",
        "typo",
    ];
    let _ = lake.run(&amend).expect_status(0);
    let sold = lake
        .sandbox
        .query("SELECT sum(pieces) AS n FROM shop.daily_sales");
    assert_eq!(sold[0]["n"], 6);
    let _ = lake.run(&["replay", "R-1"]).expect_status(0);
    let _ = lake.run(&["journal", "verify"]).expect_status(0);

    let Some(python) = python() else { return };
    let out = Command::new(python)
        .args(["-c", READ, "s3://lake/tables/main/shop/daily_sales"])
        .envs(lake.server.environment())
        .output()
        .expect("python starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "2 4 6");
}

#[test]
fn a_kill_at_every_step_leaves_no_half_table_in_the_bucket() {
    let Some(lake) = Lake::new() else { return };
    lake.put("1.csv", FIRST);
    let _ = lake.run(&["apply"]).expect_status(0);
    let _ = lake.run(&["run"]).expect_status(0);
    let steps = ["deliver.", "run.", "attempt.", "publish.", "projection."];
    for (n, step) in STEPS
        .iter()
        .filter(|s| steps.iter().any(|p| s.starts_with(p)))
        .enumerate()
    {
        lake.put("2.csv", if n % 2 == 0 { SECOND } else { MORE });
        let killed = lake.sandbox.run_with("MAINSTAY_KILL_AT", step, ["run"]);
        assert_eq!(killed.status, None, "{step}: {}{}", killed.stdout, killed.stderr);
        let _ = lake.run(&["run"]).expect_status(0);
        let sold = lake
            .sandbox
            .query("SELECT sum(pieces) AS n FROM shop.daily_sales");
        assert_eq!(sold[0]["n"], if n % 2 == 0 { 7 } else { 10 }, "{step}");
    }
    // What a killed process staged is gone: every file is one that some version refers to.
    let kept = lake
        .sandbox
        .query("SELECT count(*) AS n FROM system.facts WHERE kind LIKE '%published%'");
    assert!(kept[0]["n"].as_u64() > Some(2), "{kept}");
    let runs: Vec<String> = lake
        .objects("tables/main/shop/daily_sales")
        .into_iter()
        .filter_map(|path| path.split_once('/').map(|(prefix, _)| prefix.to_owned()))
        .filter(|prefix| prefix.starts_with('r'))
        .collect();
    let succeeded = lake
        .sandbox
        .query("SELECT 'r' || substr(run, 3) AS run FROM system.runs WHERE outcome = 'succeeded'");
    let succeeded: Vec<&str> = succeeded
        .as_array()
        .map(|rows| rows.iter().filter_map(|r| r["run"].as_str()).collect())
        .unwrap_or_default();
    for prefix in runs {
        let run = prefix.split('-').next().unwrap_or_default();
        assert!(
            succeeded.contains(&run),
            "{prefix} is of no run that published: {succeeded:?}"
        );
    }
}

#[test]
fn a_copy_in_a_bucket_is_a_home_again_beside_the_original() {
    let Some(lake) = Lake::new() else { return };
    lake.put("1.csv", FIRST);
    let _ = lake.run(&["apply"]).expect_status(0);
    let _ = lake.run(&["run"]).expect_status(0);
    let _ = lake.run(&["backup", "s3://lake/backup"]).expect_status(0);
    lake.put("2.csv", SECOND);
    let _ = lake.run(&["run"]).expect_status(0);
    let made = lake.run(&["backup", "s3://lake/backup", "--json"]);
    let made = made.expect_status(0).json();
    assert!(made["copied_files"].as_u64() < made["files"].as_u64(), "{made}");
    let tables = lake.objects("tables");
    for (home, store) in [("here", None), ("there", Some("s3://lake/other"))] {
        let mut arguments = vec!["restore", "s3://lake/backup", "--home", home];
        arguments.extend(store.into_iter().flat_map(|s| ["--store", s]));
        let _ = lake.run(&arguments).expect_status(0);
        let sql = "SELECT sum(pieces) AS n FROM shop.daily_sales";
        let sold = lake.run(&["query", sql, "--json", "--home", home]);
        assert_eq!(sold.expect_status(0).json()[0]["n"], 7, "{home}");
        let _ = lake.run(&["run", "--force", "--home", home]).expect_status(0);
        let _ = lake.run(&["doctor", "--home", home]).expect_status(0);
    }
    assert!(!lake.objects("other/main/shop").is_empty());
    assert_eq!(
        lake.objects("tables"),
        tables,
        "the original's tables are as they were"
    );
}

#[test]
fn a_bucket_that_is_not_there_is_said_and_nothing_is_lost() {
    let Some(lake) = Lake::new() else { return };
    lake.put("1.csv", FIRST);
    lake.project(|text| text.replace("s3://lake/tables", "s3://no-such-bucket/tables"));
    let _ = lake.run(&["apply"]).expect_status(0);
    let refused = lake.run(&["run"]);
    assert_ne!(refused.status, Some(0), "{refused:?}");
    assert!(refused.stderr.contains("no-such-bucket"), "{}", refused.stderr);
    let home = lake.run(&["journal", "verify"]).expect_status(0);
    assert!(home.stdout.starts_with("OK"), "{}", home.stdout);

    let gone = lake
        .sandbox
        .run_with("AWS_ENDPOINT_URL", "http://127.0.0.1:9", ["deliver"]);
    assert_ne!(gone.status, Some(0), "{gone:?}");
    assert!(gone.stderr.contains("does not answer"), "{}", gone.stderr);
}
