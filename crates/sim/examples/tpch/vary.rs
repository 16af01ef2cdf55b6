//! The engine alone, one thing changed at a time: its settings, or how the files are laid out. What helps here and changes no
//! answer is what mainstay sets.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use serde_json::{Value, json};

use crate::Outcome;
use crate::data::TABLES;
use crate::engine::{Engine, Files};
use crate::measure::{Measured, Query, System};

/// A name with the settings that it changes.
type Settings = (&'static str, &'static [(&'static str, &'static str)]);

const PARQUET: &str = "datafusion.execution.parquet";

/// The engine's settings.
const ENGINE: &[Settings] = &[
    ("defaults", &[]),
    (
        "filters in the reader",
        &[("datafusion.execution.parquet.pushdown_filters", "true")],
    ),
    (
        "filters in the reader, the cheapest first",
        &[
            ("datafusion.execution.parquet.pushdown_filters", "true"),
            ("datafusion.execution.parquet.reorder_filters", "true"),
        ],
    ),
    (
        "batches of 4 Ki rows",
        &[("datafusion.execution.batch_size", "4096")],
    ),
    (
        "batches of 16 Ki rows",
        &[("datafusion.execution.batch_size", "16384")],
    ),
    (
        "batches of 32 Ki rows",
        &[("datafusion.execution.batch_size", "32768")],
    ),
    (
        "no statistics",
        &[("datafusion.execution.collect_statistics", "false")],
    ),
    (
        "no strings as views",
        &[("datafusion.execution.parquet.schema_force_view_types", "false")],
    ),
    (
        "no dynamic filters",
        &[("datafusion.optimizer.enable_dynamic_filter_pushdown", "false")],
    ),
    (
        "no page index, no bloom filters",
        &[
            ("datafusion.execution.parquet.enable_page_index", "false"),
            ("datafusion.execution.parquet.bloom_filter_on_read", "false"),
        ],
    ),
    (
        "one hash table up to 16 MB and 1 Mi rows",
        &[
            (
                "datafusion.optimizer.hash_join_single_partition_threshold",
                "16777216",
            ),
            (
                "datafusion.optimizer.hash_join_single_partition_threshold_rows",
                "1048576",
            ),
        ],
    ),
    (
        "one hash table always",
        &[("datafusion.optimizer.repartition_joins", "false")],
    ),
    (
        "never one hash table",
        &[
            ("datafusion.optimizer.hash_join_single_partition_threshold", "0"),
            (
                "datafusion.optimizer.hash_join_single_partition_threshold_rows",
                "0",
            ),
        ],
    ),
    (
        "statistics registry",
        &[("datafusion.optimizer.use_statistics_registry", "true")],
    ),
    (
        "joins fill batches",
        &[("datafusion.execution.enforce_batch_size_in_joins", "true")],
    ),
    (
        "number literals as decimals",
        &[("datafusion.sql_parser.parse_float_as_decimal", "true")],
    ),
    (
        "4 parts on 2 threads",
        &[("datafusion.execution.target_partitions", "4")],
    ),
    ("1 part", &[("datafusion.execution.target_partitions", "1")]),
    (
        "results without compression",
        &[("datafusion.execution.parquet.compression", "uncompressed")],
    ),
];

/// A name with what a writer does otherwise.
type Layout = (
    &'static str,
    fn(WriterPropertiesBuilder) -> WriterPropertiesBuilder,
);

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default())
}

const LAYOUTS: &[Layout] = &[
    ("snappy, as delivered", |p| p.set_compression(Compression::SNAPPY)),
    ("plain", |p| p),
    ("zstd 1", |p| p.set_compression(zstd(1))),
    ("zstd 1, row groups of 256 Ki rows", |p| {
        p.set_compression(zstd(1))
            .set_max_row_group_row_count(Some(256 << 10))
    }),
    ("zstd 1, pages of up to 128 Ki rows", |p| {
        p.set_compression(zstd(1))
            .set_data_page_row_count_limit(128 << 10)
    }),
    ("zstd 1, no dictionaries", |p| {
        p.set_compression(zstd(1)).set_dictionary_enabled(false)
    }),
    ("zstd 1, statistics of chunks only", |p| {
        p.set_compression(zstd(1))
            .set_statistics_enabled(EnabledStatistics::Chunk)
    }),
];

/// Those that are measured with filters in the reader, too.
const FILTERED: [usize; 2] = [0, 2];

/// Measures the variants of `engine` or `layout`; the first of each is what the others stand beside.
pub(crate) fn measure(what: &str, folder: &Path, queries: &[Query], rounds: usize) -> Outcome<Value> {
    let threads = std::thread::available_parallelism()?.get();
    let out = folder.join("vary");
    let data = folder.join("data");
    let mut systems: Vec<Box<dyn System>> = Vec::new();
    match what {
        "engine" => {
            for (i, (name, settings)) in ENGINE.iter().enumerate() {
                let place = out.join(format!("engine{i}"));
                systems.push(Box::new(Engine::new(
                    name,
                    threads,
                    settings,
                    files(&data),
                    &place,
                )?));
            }
        }
        "layout" => {
            let pushed = format!("{PARQUET}.pushdown_filters");
            let settings = [(pushed.as_str(), "true")];
            for (i, (name, properties)) in LAYOUTS.iter().enumerate() {
                let laid = folder.join(format!("layout/{}", name.replace([' ', ',', ':'], "-")));
                let bytes = lay_out(&data, &laid, *properties)?;
                let name = format!("{name} ({:.0} MB)", bytes as f64 / 1e6);
                let place = |kind: &str| out.join(format!("layout{i}{kind}"));
                systems.push(Box::new(Engine::new(
                    &name,
                    threads,
                    &[],
                    files(&laid),
                    &place(""),
                )?));
                if FILTERED.contains(&i) {
                    let name = format!("{name}, filters in the reader");
                    systems.push(Box::new(Engine::new(
                        &name,
                        threads,
                        &settings,
                        files(&laid),
                        &place("f"),
                    )?));
                }
            }
        }
        other => return Err(format!("there is nothing to vary called `{other}`: engine, layout").into()),
    }
    let names: Vec<String> = systems.iter().map(|s| s.name()).collect();
    let measured = Measured::of(&mut systems, queries, rounds, true)?;
    measured.show();
    let figures = names
        .iter()
        .enumerate()
        .map(|(s, name)| measured.sum(name, s, Some(0), None));
    Ok(json!({ "figures": figures.collect::<Vec<_>>() }))
}

fn files(folder: &Path) -> Files {
    let file = |t: &&'static str| (*t, folder.join(format!("{t}.parquet")));
    TABLES.iter().map(file).collect()
}

/// Writes the tables anew, once; returns the bytes of all.
fn lay_out(
    data: &Path,
    folder: &Path,
    properties: fn(WriterPropertiesBuilder) -> WriterPropertiesBuilder,
) -> Outcome<u64> {
    std::fs::create_dir_all(folder)?;
    let mut bytes = 0;
    for (table, path) in files(folder) {
        if !path.is_file() {
            let half: PathBuf = folder.join(format!("{table}.half"));
            let source = File::open(data.join(format!("{table}.parquet")))?;
            let reader = ParquetRecordBatchReaderBuilder::try_new(source)?
                .with_batch_size(8192)
                .build()?;
            let properties = properties(WriterProperties::builder()).build();
            let schema = arrow::array::RecordBatchReader::schema(&reader);
            let mut writer = ArrowWriter::try_new(File::create(&half)?, schema, Some(properties))?;
            for batch in reader {
                writer.write(&batch?)?;
            }
            writer.close()?;
            std::fs::rename(&half, &path)?;
        }
        bytes += std::fs::metadata(&path)?.len();
    }
    Ok(bytes)
}
