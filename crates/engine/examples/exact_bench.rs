//! Measures exact aggregates against DataFusion's own, end to end: ten million rows read from Parquet.
//!
//! `cargo run -p mainstay-engine --example exact_bench [rows]` prints, for each query, the best of five runs with
//! DataFusion's functions and with exact ones, in milliseconds, and their quotient.
#![expect(clippy::print_stdout, reason = "a measurement prints its table")]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::Result;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;

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
    println!("{:<44} {:>9} {:>9} {:>6}", "query", "original", "exact", "ratio");
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
            let (mut before, mut after) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..RUNS {
                before = before.min(seconds(&original, &sql).await?);
                after = after.min(seconds(&exact, &sql).await?);
            }
            let name = format!("{function} {group}");
            println!(
                "{name:<44} {:>9.1} {:>9.1} {:>6.2}",
                before * 1e3,
                after * 1e3,
                after / before
            );
        }
    }
    Ok(())
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
