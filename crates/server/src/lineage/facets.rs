//! What OpenLineage says of jobs, runs and datasets beside their names, and how these are named.

use std::collections::BTreeMap;

use mainstay_api::Error;
use mainstay_base::Timestamp;
use mainstay_base::hash::Hasher;
use mainstay_control::Sight;
use mainstay_model::DatasetName;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::Pinned;
use mainstay_model::schema::{ColumnType, Schema};
use mainstay_model::spec::JobSpec;
use mainstay_sql::{ColumnLineage, InputTable, Sources, Through};
use serde_json::{Map, Value, json};

use crate::instance::Instance;

/// Who says it.
pub(super) const PRODUCER: &str = concat!("urn:mainstay:", env!("CARGO_PKG_VERSION"));

/// Where the forms of facets are described.
const FACETS: &str = "https://openlineage.io/spec/facets";

/// A facet of a version and a name, with what it says.
pub(super) fn facet(version: &str, name: &str, body: Value) -> Value {
    let mut facet = body;
    if let Some(fields) = facet.as_object_mut() {
        fields.insert("_producer".to_owned(), PRODUCER.into());
        let url = format!("{FACETS}/{version}/{name}.json#/$defs/{name}");
        fields.insert("_schemaURL".to_owned(), url.into());
    }
    facet
}

/// How things of an account are named to others.
pub(super) struct Namer {
    origin: String,
    account: String,
    tables: String,
}

impl Namer {
    pub(super) fn of(instance: &Instance) -> Result<Self, Error> {
        let store = instance.store()?;
        Ok(Self {
            origin: instance.origin(),
            account: instance.account().to_owned(),
            tables: store.url().as_str().trim_end_matches('/').to_owned(),
        })
    }

    /// The namespace of jobs: the account.
    pub(super) fn namespace(&self) -> &str {
        &self.account
    }

    /// A UUID of version 7 that is the same whenever it is asked for, and that no other home has.
    pub(super) fn run_id(&self, id: &str, time: Timestamp) -> String {
        let mut hasher = Hasher::new("mainstay lineage run 1");
        for part in [&self.origin, &self.account, id] {
            hasher.field(part.as_bytes());
        }
        uuid(time, hasher.finish().as_bytes())
    }

    /// A dataset's namespace and name, by where its table is.
    pub(super) fn place(&self, dataset: &DatasetName) -> (String, String) {
        let table = format!("{}/{}/{}", self.account, dataset.schema(), dataset.table());
        match self.tables.split_once("://") {
            Some(("file", path)) => ("file".to_owned(), format!("{path}/{table}")),
            Some((scheme, rest)) => match rest.split_once('/') {
                Some((bucket, prefix)) => (format!("{scheme}://{bucket}"), format!("{prefix}/{table}")),
                None => (format!("{scheme}://{rest}"), table),
            },
            None => ("file".to_owned(), format!("{}/{table}", self.tables)),
        }
    }
}

fn uuid(time: Timestamp, random: &[u8; 32]) -> String {
    let millis = u64::try_from(time.as_micros() / 1_000).unwrap_or_default();
    let [a, b, c, d, e, f, g, h, i, j, ..] = *random;
    let low = u64::from_be_bytes([c & 0x3f | 0x80, d, e, f, g, h, i, j]);
    let version = u16::from_be_bytes([a & 0x0f | 0x70, b]);
    format!(
        "{:08x}-{:04x}-{version:04x}-{:04x}-{:012x}",
        (millis >> 16) & 0xffff_ffff,
        millis & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// What is said of a dataset at a version; 0 if there is none.
pub(super) fn of_dataset(
    namer: &Namer,
    name: &DatasetName,
    version: u64,
    schema: Option<&Schema>,
) -> Map<String, Value> {
    let mut facets = Map::new();
    let logical = json!({ "namespace": namer.namespace(), "name": name.to_string(), "type": "TABLE" });
    let body = json!({ "identifiers": [logical] });
    facets.insert(
        "symlinks".to_owned(),
        facet("1-0-1", "SymlinksDatasetFacet", body),
    );
    let body = json!({ "storageLayer": "delta", "fileFormat": "parquet" });
    facets.insert("storage".to_owned(), facet("1-0-1", "StorageDatasetFacet", body));
    if version > 0 {
        let body = json!({ "datasetVersion": version.to_string() });
        facets.insert(
            "version".to_owned(),
            facet("1-0-1", "DatasetVersionDatasetFacet", body),
        );
    }
    if let Some(schema) = schema {
        let columns = schema.0.iter().zip(1_u32..);
        let fields: Vec<Value> = columns
            .map(|(c, at)| field(&c.name, &c.column_type, Some(at)))
            .collect();
        let body = json!({ "fields": fields });
        facets.insert("schema".to_owned(), facet("1-2-0", "SchemaDatasetFacet", body));
    }
    facets
}

fn field(name: &str, column_type: &ColumnType, at: Option<u32>) -> Value {
    let mut value = json!({ "name": name, "type": column_type.to_string() });
    let fields = value.as_object_mut();
    if let Some((fields, at)) = fields.zip(at) {
        fields.insert("ordinal_position".to_owned(), at.into());
    }
    if let (ColumnType::Struct(inner), Some(fields)) = (column_type, value.as_object_mut()) {
        let inner: Vec<Value> = inner.iter().map(|(n, t)| field(n, t, None)).collect();
        fields.insert("type".to_owned(), "struct".into());
        fields.insert("fields".to_owned(), inner.into());
    }
    value
}

/// The columns of an input at the version that a run read.
pub(super) fn schema_at<'a>(
    sight: &Sight<'a>,
    pinned: &Pinned,
    name: &DatasetName,
    version: u64,
) -> Option<&'a Schema> {
    let line = sight.state.line(pinned.branch.as_ref())?;
    let versions = line
        .dataset(name)
        .map(|d| d.versions.as_slice())
        .unwrap_or_default();
    let at = versions.iter().rev().find(|v| v.version == version);
    let published = at.or(versions.last()).map(|v| &v.schema);
    // Nothing of it was published yet: as its query yields it.
    let declared = || match &line.resource(&ResourceKey::new(Kind::Job, name))?.spec {
        Spec::Job(job) => Some(&job.compiled.columns),
        _ => None,
    };
    published.or_else(declared)
}

/// The tables that a query is planned over.
type Tables = BTreeMap<DatasetName, InputTable>;

/// The query of a run with its inputs; none if one of them is not known any more.
pub(super) fn query(sight: &Sight<'_>, pinned: &Pinned, spec: Option<&JobSpec>) -> Option<(String, Tables)> {
    let mut tables = Tables::new();
    for input in &pinned.inputs {
        let table = InputTable {
            schema: schema_at(sight, pinned, &input.dataset, input.version)?.clone(),
            slice_columns: Vec::new(),
        };
        tables.insert(input.dataset.clone(), table);
    }
    Some((spec?.sql.clone(), tables))
}

/// From which columns the columns of a query come; none if it cannot be planned any more.
pub(super) fn column_lineage(namer: &Namer, sql: &str, tables: &Tables) -> Option<Value> {
    let ColumnLineage { fields, rows } = mainstay_sql::column_lineage(sql, tables).ok()?;
    let fields: Map<String, Value> = fields
        .iter()
        .map(|(name, from)| (name.clone(), json!({ "inputFields": sources(namer, from) })))
        .collect();
    let body = json!({ "fields": fields, "dataset": sources(namer, &rows) });
    Some(facet("1-2-0", "ColumnLineageDatasetFacet", body))
}

fn sources(namer: &Namer, from: &Sources) -> Vec<Value> {
    let way = |way: &Through| {
        let kind = if way.is_direct() { "DIRECT" } else { "INDIRECT" };
        json!({ "type": kind, "subtype": way.name(), "description": "", "masking": false })
    };
    let each = from.iter().map(|((dataset, column), ways)| {
        let (namespace, name) = namer.place(dataset);
        let ways: Vec<Value> = ways.iter().map(way).collect();
        json!({ "namespace": namespace, "name": name, "field": column, "transformations": ways })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namer(tables: &str) -> Namer {
        Namer {
            origin: "home-1".to_owned(),
            account: "main".to_owned(),
            tables: tables.to_owned(),
        }
    }

    #[test]
    fn datasets_are_named_by_where_they_are() {
        let name: DatasetName = "air.flights".parse().expect("a name");
        let place = |tables: &str| namer(tables).place(&name);
        let of = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
        assert_eq!(
            place("file:///srv/home/data"),
            of("file", "/srv/home/data/main/air/flights")
        );
        assert_eq!(
            place("s3://lake/prod/x"),
            of("s3://lake", "prod/x/main/air/flights")
        );
        assert_eq!(place("s3://lake"), of("s3://lake", "main/air/flights"));
    }

    #[test]
    fn a_run_has_one_id_and_no_other_run_has_it() {
        let time = Timestamp::from_micros(1_700_000_000_123_456);
        let namer = namer("file:///x");
        let id = namer.run_id("R-1", time);
        assert_eq!(id, namer.run_id("R-1", time));
        assert_ne!(id, namer.run_id("R-2", time));
        // Its first 48 bits are the milliseconds, then comes the version.
        assert!(id.starts_with("018bcfe5-687b-7"), "{id}");
        assert_eq!(id.len(), 36);
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
    }
}
