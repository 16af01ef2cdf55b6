//! Measures exact aggregates against DataFusion's own, end to end: ten million rows read from Parquet.
//!
//! `exact [rows]` prints one JSON document: for each query the milliseconds of some runs with exact functions and the middle of
//! their quotients by runs with DataFusion's own, the two taken in turns.
#![expect(clippy::print_stdout, reason = "the document is what this program is for")]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::Result;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;
use serde_json::json;

const BATCH: u64 = 1 << 16;
const RUNS: usize = 5;

#[tokio::main]
async fn main() -> Result<()> {
    let rows = std::env::args()
        .nth(1)
        .and_then(|rows| rows.parse().ok())
        .unwrap_or(10_000_000);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("t.parquet");
    write(&path, rows)?;
    let path = path.to_string_lossy().into_owned();

    let config = || SessionConfig::new().with_target_partitions(2);
    let original = SessionContext::new_with_config(config());
    let mut exact = SessionContext::new_with_config(config());
    mainstay_engine::exact::register(&mut exact)?;
    for context in [&original, &exact] {
        context
            .register_parquet("t", &path, ParquetReadOptions::default())
            .await?;
    }
    let mut figures = Vec::new();
    for function in [
        "sum(price)",
        "avg(price)",
        "var(price)",
        "sum(uniform)",
        "var(uniform)",
        "corr(price, uniform)",
    ] {
        for group in ["", "k1000", "k1m"] {
            let sql = match group {
                "" => format!("SELECT {function} FROM t"),
                _ => format!("SELECT max(a) FROM (SELECT {group}, {function} AS a FROM t GROUP BY {group})"),
            };
            let (mut exactly, mut ratios) = (Vec::new(), Vec::new());
            for _ in 0..=RUNS {
                let before = seconds(&original, &sql).await?;
                let after = seconds(&exact, &sql).await?;
                exactly.push(after * 1e3);
                ratios.push(after / before);
            }
            // The first of each only warms up.
            let (exactly, ratios) = (sorted(&exactly), sorted(&ratios));
            figures.push(json!({
                "name": format!("{function} {}", if group.is_empty() { "of all rows" } else { group }),
                "unit": "ms",
                "min": exactly.first(),
                "median": exactly.get(RUNS / 2),
                "max": exactly.last(),
                "ratio": ratios.get(RUNS / 2),
            }));
        }
    }
    println!("{:#}", json!({ "figures": figures, "rows": rows }));
    Ok(())
}

fn sorted(runs: &[f64]) -> Vec<f64> {
    let mut runs = runs.get(1..).unwrap_or_default().to_vec();
    runs.sort_by(f64::total_cmp);
    runs
}

async fn seconds(context: &SessionContext, sql: &str) -> Result<f64> {
    let start = Instant::now();
    context.sql(sql).await?.collect().await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Writes rows with keys of 1000 and of a million groups, prices in cents, and numbers spread evenly over (0, 1).
fn write(path: &std::path::Path, rows: u64) -> Result<()> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("k1000", DataType::Int64, false),
        Field::new("k1m", DataType::Int64, false),
        Field::new("price", DataType::Float64, false),
        Field::new("uniform", DataType::Float64, false),
    ]));
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path)?, Arc::clone(&schema), None)?;
    for start in (0..rows).step_by(BATCH as usize) {
        let random: Vec<u64> = (start..rows.min(start + BATCH)).map(splitmix).collect();
        let keys = |groups: u64| random.iter().map(|r| (r % groups) as i64).collect::<Int64Array>();
        let prices: Float64Array = random
            .iter()
            .map(|r| ((r >> 20) % 1_000_000) as f64 / 100.0)
            .collect();
        let uniform: Float64Array = random
            .iter()
            .map(|r| (splitmix(*r) >> 11) as f64 / (1u64 << 53) as f64)
            .collect();
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(keys(1000)),
                Arc::new(keys(1_000_000)),
                Arc::new(prices),
                Arc::new(uniform),
            ],
        )?;
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(())
}

/// The splitmix64 generator's value at `x`.
fn splitmix(x: u64) -> u64 {
    let mut z = x
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
