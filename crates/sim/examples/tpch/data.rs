//! The tables of TPC-H as Parquet files, one a table, as pyarrow, Spark and DuckDB write them if told
//! nothing: with Snappy. Made once for each scale.

use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_csv::ReaderBuilder;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tpchgen::csv::{
    CustomerCsv, LineItemCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv,
};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};

use crate::Outcome;

/// The tables.
pub(crate) const TABLES: [&str; 8] = [
    "region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem",
];

/// Text that is turned into rows at once, in bytes.
const CHUNK: usize = 16 << 20;

/// Makes the files that are not there yet.
pub(crate) fn make(folder: &Path, scale: f64) -> Outcome<()> {
    std::fs::create_dir_all(folder)?;
    for table in TABLES {
        let path = folder.join(format!("{table}.parquet"));
        if path.is_file() {
            continue;
        }
        let started = Instant::now();
        let half = folder.join(format!("{table}.half"));
        let mut writer = Writer::new(&half, &columns(table))?;
        match table {
            "region" => writer.all(RegionGenerator::new(scale, 1, 1).iter().map(RegionCsv::new)),
            "nation" => writer.all(NationGenerator::new(scale, 1, 1).iter().map(NationCsv::new)),
            "supplier" => writer.all(SupplierGenerator::new(scale, 1, 1).iter().map(SupplierCsv::new)),
            "customer" => writer.all(CustomerGenerator::new(scale, 1, 1).iter().map(CustomerCsv::new)),
            "part" => writer.all(PartGenerator::new(scale, 1, 1).iter().map(PartCsv::new)),
            "partsupp" => writer.all(PartSuppGenerator::new(scale, 1, 1).iter().map(PartSuppCsv::new)),
            "orders" => writer.all(OrderGenerator::new(scale, 1, 1).iter().map(OrderCsv::new)),
            _ => writer.all(LineItemGenerator::new(scale, 1, 1).iter().map(LineItemCsv::new)),
        }?;
        writer.file.close()?;
        std::fs::rename(&half, &path)?;
        eprintln!("tpch: made {table} in {:.1} s", started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Turns rows of text into a Parquet file.
struct Writer {
    schema: SchemaRef,
    file: ArrowWriter<File>,
}

impl Writer {
    fn new(path: &Path, columns: &[(&str, DataType)]) -> Outcome<Self> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, t)| Field::new(*name, t.clone(), false))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let file = ArrowWriter::try_new(File::create(path)?, schema.clone(), Some(properties))?;
        Ok(Self { schema, file })
    }

    fn all(&mut self, rows: impl Iterator<Item = impl Display>) -> Outcome<()> {
        let mut text = String::with_capacity(CHUNK + 1024);
        for row in rows {
            writeln!(text, "{row}")?;
            if text.len() >= CHUNK {
                self.write(&text)?;
                text.clear();
            }
        }
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        let reader = ReaderBuilder::new(self.schema.clone())
            .with_batch_size(8192)
            .build(Cursor::new(text.as_bytes()))?;
        for batch in reader {
            self.file.write(&batch?)?;
        }
        Ok(())
    }
}

/// The columns of a table in the order in which they are generated.
fn columns(table: &str) -> Vec<(&'static str, DataType)> {
    use DataType::{Date32 as Date, Int32 as Int, Int64 as Key, Utf8 as Text};
    const MONEY: DataType = DataType::Decimal128(15, 2);
    match table {
        "region" => vec![("r_regionkey", Key), ("r_name", Text), ("r_comment", Text)],
        "nation" => vec![
            ("n_nationkey", Key),
            ("n_name", Text),
            ("n_regionkey", Key),
            ("n_comment", Text),
        ],
        "supplier" => vec![
            ("s_suppkey", Key),
            ("s_name", Text),
            ("s_address", Text),
            ("s_nationkey", Key),
            ("s_phone", Text),
            ("s_acctbal", MONEY),
            ("s_comment", Text),
        ],
        "customer" => vec![
            ("c_custkey", Key),
            ("c_name", Text),
            ("c_address", Text),
            ("c_nationkey", Key),
            ("c_phone", Text),
            ("c_acctbal", MONEY),
            ("c_mktsegment", Text),
            ("c_comment", Text),
        ],
        "part" => vec![
            ("p_partkey", Key),
            ("p_name", Text),
            ("p_mfgr", Text),
            ("p_brand", Text),
            ("p_type", Text),
            ("p_size", Int),
            ("p_container", Text),
            ("p_retailprice", MONEY),
            ("p_comment", Text),
        ],
        "partsupp" => vec![
            ("ps_partkey", Key),
            ("ps_suppkey", Key),
            ("ps_availqty", Int),
            ("ps_supplycost", MONEY),
            ("ps_comment", Text),
        ],
        "orders" => vec![
            ("o_orderkey", Key),
            ("o_custkey", Key),
            ("o_orderstatus", Text),
            ("o_totalprice", MONEY),
            ("o_orderdate", Date),
            ("o_orderpriority", Text),
            ("o_clerk", Text),
            ("o_shippriority", Int),
            ("o_comment", Text),
        ],
        _ => vec![
            ("l_orderkey", Key),
            ("l_partkey", Key),
            ("l_suppkey", Key),
            ("l_linenumber", Int),
            ("l_quantity", MONEY),
            ("l_extendedprice", MONEY),
            ("l_discount", MONEY),
            ("l_tax", MONEY),
            ("l_returnflag", Text),
            ("l_linestatus", Text),
            ("l_shipdate", Date),
            ("l_commitdate", Date),
            ("l_receiptdate", Date),
            ("l_shipinstruct", Text),
            ("l_shipmode", Text),
            ("l_comment", Text),
        ],
    }
}
