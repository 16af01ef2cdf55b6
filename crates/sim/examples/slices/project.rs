//! Projects to be planned: resources whose queries went through the same analysis as any other.

use std::collections::BTreeMap;

use mainstay_model::resource::{Resource, Spec};
use mainstay_model::spec::{
    Compiled, Format, JobSpec, OnRedelivery, OnSchemaChange, Retries, SliceColumn, SourceSpec,
};
use mainstay_model::{Column, ColumnType, DatasetName, Schema, SliceKey};
use mainstay_sql::{InputTable, analyse};

use crate::Outcome;

/// How many of a group's ten datasets have as many slices as its sources.
const LARGE: usize = 9;
/// Groups of ten datasets each.
const GROUPS: usize = 5;
/// Keys within a day, where slices are by day and key.
const KEYS: usize = 20;

/// Resources in an order in which each stands after what it reads, with the slices of the sources.
#[derive(Default)]
pub(crate) struct Project {
    pub(crate) resources: Vec<Resource>,
    pub(crate) slices: BTreeMap<DatasetName, Vec<SliceKey>>,
    tables: BTreeMap<DatasetName, InputTable>,
}

fn column(name: &str, column_type: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        column_type,
    }
}

impl Project {
    fn source(&mut self, name: &str, slice: &[&str], slices: Vec<SliceKey>) -> Outcome<()> {
        let dataset: DatasetName = name.parse()?;
        let schema = Schema(vec![
            column("day", ColumnType::Date),
            column("key", ColumnType::Long),
            column("amount", ColumnType::Long),
        ]);
        let of = |name: &&str| SliceColumn {
            name: (*name).to_owned(),
            expression: None,
        };
        let spec = SourceSpec {
            description: None,
            files: format!("{name}/*.parquet"),
            format: Format::Parquet,
            null: Vec::new(),
            delimiter: None,
            rename: BTreeMap::new(),
            columns: Some(schema.clone()),
            slice: slice.iter().map(of).collect(),
            on_schema_change: OnSchemaChange::Refuse,
            approve: 0,
            retain: None,
            on_redelivery: OnRedelivery::Apply,
        };
        self.add(name, slice, schema, Spec::Source(spec))?;
        self.slices.insert(dataset, slices);
        Ok(())
    }

    fn job(&mut self, name: &str, slice: &[&str], sql: String) -> Outcome<()> {
        let columns: Vec<String> = slice.iter().map(|s| (*s).to_owned()).collect();
        let found = analyse(&sql, &self.tables, &columns).map_err(|p| format!("{name}: {p:?}"))?;
        let schema = found.columns.clone();
        let spec = JobSpec {
            description: None,
            sql,
            slice: columns,
            retries: Retries::default(),
            time_limit_ms: None,
            retain: None,
            circuit_breaker: None,
            uses: BTreeMap::new(),
            compiled: Compiled {
                code: found.code,
                reads: found.reads,
                columns: found.columns,
                origins: found.origins,
                widened: found.widened,
            },
        };
        self.add(name, slice, schema, Spec::Job(Box::new(spec)))
    }

    fn add(&mut self, name: &str, slice: &[&str], schema: Schema, spec: Spec) -> Outcome<()> {
        let table = InputTable {
            schema,
            slice_columns: slice.iter().map(|s| (*s).to_owned()).collect(),
        };
        self.tables.insert(name.parse()?, table);
        self.resources.push(Resource {
            name: name.to_owned(),
            tags: BTreeMap::new(),
            spec,
        });
        Ok(())
    }
}

/// The days from 1970 on.
fn day(n: usize) -> String {
    // The civil date of a number of days, by Howard Hinnant's algorithm.
    let z = n + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let m = (5 * of_year + 2) / 153;
    let d = of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year + era * 400 + usize::from(month <= 2);
    format!("{year:04}-{month:02}-{d:02}")
}

fn by_day(count: usize) -> Vec<SliceKey> {
    (0..count).map(|n| SliceKey::of(day(n))).collect()
}

fn by_day_and_key(count: usize) -> Vec<SliceKey> {
    let of = |n: usize| SliceKey(vec![Some(day(n / KEYS)), Some((n % KEYS).to_string())]);
    (0..count).map(of).collect()
}

/// 50 datasets in five groups, with about so many slices in all: sources by day and by day and key, jobs that read the same slice,
/// trailing windows, everything of a small dataset, and a month, a day over its keys, or everything.
pub(crate) fn sliced(slices: usize) -> Outcome<Project> {
    let each = slices.div_ceil(GROUPS * LARGE);
    let mut project = Project::default();
    for g in 0..GROUPS {
        let p = &mut project;
        let n = |name: &str| format!("g{g}.{name}");
        p.source(&n("sales"), &["day"], by_day(each))?;
        p.source(&n("visits"), &["day", "key"], by_day_and_key(each))?;
        let own = |from: &str| format!("SELECT day, key, amount + 1 AS amount FROM g{g}.{from}");
        p.job(&n("clean"), &["day"], own("sales"))?;
        let trailing = |from: &str, days: u32| {
            format!(
                "SELECT day, key, sum(amount) OVER (PARTITION BY key ORDER BY day RANGE BETWEEN INTERVAL '{days}' DAY PRECEDING \
                 AND CURRENT ROW) AS amount FROM g{g}.{from}"
            )
        };
        p.job(&n("week"), &["day"], trailing("clean", 6))?;
        let both = format!(
            "SELECT c.day, c.key, c.amount - w.amount AS amount FROM g{g}.clean c JOIN g{g}.week w ON c.day = w.day AND c.key = w.key"
        );
        p.job(&n("change"), &["day"], both)?;
        p.job(&n("visitors"), &["day", "key"], own("visits"))?;
        p.job(&n("buyers"), &["day", "key"], own("visitors"))?;
        p.job(&n("trend"), &["day"], trailing("change", 29))?;
        p.job(&n("report"), &["day"], own("trend"))?;
        match g {
            0 | 3 => p.job(
                &n("month"),
                &["month"],
                format!("SELECT date_trunc('month', day) AS month, sum(amount) AS amount FROM g{g}.change GROUP BY 1"),
            )?,
            1 | 4 => p.job(
                &n("day"),
                &["day"],
                format!("SELECT day, sum(amount) AS amount FROM g{g}.buyers GROUP BY day"),
            )?,
            _ => p.job(&n("total"), &[], format!("SELECT sum(amount) AS amount FROM g{g}.report"))?,
        }
    }
    Ok(project)
}

/// One source and one job, by day.
pub(crate) fn small() -> Outcome<Project> {
    let mut project = Project::default();
    project.source("a.sales", &["day"], by_day(1000))?;
    project.job(
        "a.daily",
        &["day"],
        "SELECT day, sum(amount) AS amount FROM a.sales GROUP BY day".to_owned(),
    )?;
    Ok(project)
}

/// So many datasets, each source with a job, with a year of slices.
pub(crate) fn wide(datasets: usize) -> Outcome<Project> {
    let mut project = Project::default();
    for n in 0..datasets.div_ceil(2) {
        project.source(&format!("w.s{n}"), &["day"], by_day(365))?;
        let sql = format!("SELECT day, sum(amount) AS amount FROM w.s{n} GROUP BY day");
        project.job(&format!("w.j{n}"), &["day"], sql)?;
    }
    Ok(project)
}
