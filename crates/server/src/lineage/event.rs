//! A fact about a run as an event of OpenLineage.

use mainstay_api::Error;
use mainstay_base::Timestamp;
use mainstay_control::{Generation, Sight};
use mainstay_journal::Filter;
use mainstay_model::fact::{Fact, RunFinished};
use mainstay_model::id::RunId;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{Amount, Pinned, RunOutcome};
use mainstay_model::spec::JobSpec;
use mainstay_model::{DatasetName, upcast};
use serde_json::{Map, Value, json};

use super::facets::{self, Namer, PRODUCER};
use super::{Told, is_told};
use crate::error;
use crate::instance::Instance;

/// The form of events.
const EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// A run as it was recorded.
struct Recorded {
    pinned: Pinned,
    because: String,
    actor: String,
    seq: u64,
    time: Timestamp,
}

impl Instance {
    /// Says what there is to tell of a fact; none if that is nothing.
    pub(super) fn lineage_event(&self, namer: &Namer, told: &Told) -> Result<Option<Value>, Error> {
        let (id, ended) = match &told.fact {
            Fact::RunRecorded(f) => (f.run, None),
            Fact::RunFinished(f) => (f.run, Some(&**f)),
            _ => return Ok(None),
        };
        let Some(run) = self.recorded(id)?.filter(|run| is_told(&run.pinned)) else {
            return Ok(None);
        };
        let (mut event, query) = self.with(|sight| {
            let query = facets::query(sight, &run.pinned, job_of(sight, &run.pinned));
            (of_run(sight, namer, id, &run, ended, told.time), query)
        });
        // Planning takes its time, and nobody is to wait for it.
        let columns = query.and_then(|(sql, tables)| facets::column_lineage(namer, &sql, &tables));
        let output = event
            .pointer_mut("/outputs/0/facets")
            .and_then(Value::as_object_mut);
        if let Some((facets, columns)) = output.zip(columns) {
            facets.insert("columnLineage".to_owned(), columns);
        }
        Ok(Some(event))
    }

    /// Finds what was recorded of a run when it began; in the journal, if it is not in the state any more.
    fn recorded(&self, id: RunId) -> Result<Option<Recorded>, Error> {
        let known = self.with(|sight| {
            let run = sight.state.runs.get(&id)?;
            Some(Recorded {
                pinned: run.pinned.clone(),
                because: run.because.clone(),
                actor: run.actor.clone(),
                seq: run.seq,
                time: run.recorded,
            })
        });
        if known.is_some() {
            return Ok(known);
        }
        let ledger = self.ledger();
        let filter = Filter {
            kind: Some("run.recorded".to_owned()),
            subject: Some(format!("run/{id}")),
            account: Some(self.account().to_owned()),
            ..Filter::default()
        };
        let Some(record) = ledger.journal().records(1, filter).next() else {
            return Ok(None);
        };
        let record = record.map_err(|e| error::journal(&e))?;
        let body = record.body.as_deref().unwrap_or_default();
        let Ok(Fact::RunRecorded(f)) = upcast::decode(&record.kind, record.kind_version, body) else {
            return Ok(None);
        };
        Ok(Some(Recorded {
            pinned: f.pinned,
            because: f.because,
            actor: record.actor,
            seq: record.seq,
            time: record.time,
        }))
    }
}

/// The job as it was when it ran; none if that is not known any more.
fn job_of<'a>(sight: &Sight<'a>, pinned: &Pinned) -> Option<&'a JobSpec> {
    let line = sight.state.line(pinned.branch.as_ref())?;
    let held = line.resources.get(&ResourceKey::new(Kind::Job, &pinned.job))?;
    let is = |g: &&Generation| g.number == pinned.generation;
    match &held.generations.iter().rev().find(is)?.resource.as_ref()?.spec {
        Spec::Job(spec) => Some(spec),
        _ => None,
    }
}

fn of_run(
    sight: &Sight<'_>,
    namer: &Namer,
    id: RunId,
    run: &Recorded,
    ended: Option<&RunFinished>,
    time: Timestamp,
) -> Value {
    let pinned = &run.pinned;
    let spec = job_of(sight, pinned);
    let event_type = match ended.map(|f| f.outcome) {
        None => "START",
        Some(RunOutcome::Succeeded) => "COMPLETE",
        Some(RunOutcome::Failed) => "FAIL",
        // One that was skipped was not tried at all.
        Some(RunOutcome::Cancelled | RunOutcome::Skipped) => "ABORT",
    };
    json!({
        "eventType": event_type,
        "eventTime": time.to_string(),
        "producer": PRODUCER,
        "schemaURL": EVENT,
        "run": {
            "runId": namer.run_id(&id.to_string(), run.time),
            "facets": run_facets(sight, namer, id, run, ended),
        },
        "job": {
            "namespace": namer.namespace(),
            "name": pinned.job.to_string(),
            "facets": job_facets(spec),
        },
        "inputs": inputs(sight, namer, pinned, ended),
        "outputs": [output(sight, namer, id, pinned, spec, ended)],
    })
}

fn run_facets(
    sight: &Sight<'_>,
    namer: &Namer,
    id: RunId,
    run: &Recorded,
    ended: Option<&RunFinished>,
) -> Map<String, Value> {
    let mut facets = Map::new();
    let (name, version) = run
        .pinned
        .engine
        .split_once(' ')
        .unwrap_or((&run.pinned.engine, ""));
    let engine =
        json!({ "name": name, "version": version, "openlineageAdapterVersion": env!("CARGO_PKG_VERSION") });
    facets.insert(
        "processing_engine".to_owned(),
        facets::facet("1-1-1", "ProcessingEngineRunFacet", engine),
    );
    let mut tags = vec![("run", id.to_string()), ("because", run.because.clone())];
    if let Some(branch) = &run.pinned.branch {
        tags.push(("branch", branch.to_string()));
    }
    if let Some(of) = ended.and_then(|f| f.reused_from) {
        tags.push(("reused_from", of.to_string()));
    }
    let tag = |(key, value): (&str, String)| json!({ "key": key, "value": value, "source": "MAINSTAY" });
    let tags: Vec<Value> = tags.into_iter().map(tag).collect();
    facets.insert(
        "tags".to_owned(),
        facets::facet("1-0-0", "TagsRunFacet", json!({ "tags": tags })),
    );
    if let Some(error) = ended.and_then(|f| f.error.as_ref()) {
        let text = format!("{}: {}", error.code, error.message);
        let body = json!({ "message": text, "programmingLanguage": "SQL", "stackTrace": error.help });
        let body = without_nulls(body);
        facets.insert(
            "errorMessage".to_owned(),
            facets::facet("1-0-1", "ErrorMessageRunFacet", body),
        );
    }
    if let Some(parent) = parent(sight, run) {
        if let Some(due) = parent.due {
            let body = json!({ "nominalStartTime": due.to_string() });
            facets.insert(
                "nominalTime".to_owned(),
                facets::facet("1-0-1", "NominalTimeRunFacet", body),
            );
        }
        let of_it = json!({ "runId": namer.run_id(&parent.id, parent.time) });
        let job = json!({ "namespace": namer.namespace(), "name": parent.name });
        let body = json!({ "run": of_it, "job": job, "root": { "run": of_it, "job": job } });
        facets.insert(
            "parent".to_owned(),
            facets::facet("1-2-0", "ParentRunFacet", body),
        );
    }
    facets
}

/// What led to a run.
struct Parent {
    name: String,
    id: String,
    time: Timestamp,
    due: Option<Timestamp>,
}

/// The firing of a trigger or the amendment that led to a run, if it is known.
fn parent(sight: &Sight<'_>, run: &Recorded) -> Option<Parent> {
    let branch = run.pinned.branch.as_ref().map(ToString::to_string);
    if let Some(name) = branch {
        let id = name.strip_prefix("amendment/")?.parse().ok()?;
        let amendment = sight.state.amendments.get(&id)?;
        return Some(Parent {
            id: name.clone(),
            name,
            time: amendment.proposed.time,
            due: None,
        });
    }
    let trigger = run.actor.strip_prefix("trigger/")?;
    let mut fired = sight.state.triggers.firings.iter().rev();
    let (id, firing) = fired.find(|(_, f)| f.trigger == trigger && f.seq < run.seq)?;
    Some(Parent {
        name: run.actor.clone(),
        id: id.to_string(),
        time: firing.time,
        due: firing.due,
    })
}

fn job_facets(spec: Option<&JobSpec>) -> Map<String, Value> {
    let mut facets = Map::new();
    let kind = json!({ "processingType": "BATCH", "integration": "MAINSTAY", "jobType": "JOB" });
    facets.insert(
        "jobType".to_owned(),
        facets::facet("2-0-4", "JobTypeJobFacet", kind),
    );
    if let Some(spec) = spec {
        let sql = json!({ "query": spec.sql, "dialect": "datafusion" });
        facets.insert("sql".to_owned(), facets::facet("1-1-0", "SQLJobFacet", sql));
        if let Some(text) = &spec.description {
            let body = json!({ "description": text });
            facets.insert(
                "documentation".to_owned(),
                facets::facet("1-1-0", "DocumentationJobFacet", body),
            );
        }
    }
    facets
}

fn inputs(sight: &Sight<'_>, namer: &Namer, pinned: &Pinned, ended: Option<&RunFinished>) -> Vec<Value> {
    let each = pinned.inputs.iter().map(|input| {
        let schema = facets::schema_at(sight, pinned, &input.dataset, input.version);
        let facets = facets::of_dataset(namer, &input.dataset, input.version, schema);
        let read = ended.and_then(|f| f.usage.read.get(&input.dataset));
        let mut value = dataset(namer, &input.dataset, facets);
        if let (Some(read), Some(fields)) = (read, value.as_object_mut()) {
            let body = facets::facet("1-0-0", "InputStatisticsInputDatasetFacet", amount(read));
            fields.insert("inputFacets".to_owned(), json!({ "inputStatistics": body }));
        }
        value
    });
    each.collect()
}

fn output(
    sight: &Sight<'_>,
    namer: &Namer,
    id: RunId,
    pinned: &Pinned,
    spec: Option<&JobSpec>,
    ended: Option<&RunFinished>,
) -> Value {
    let name = &pinned.job;
    let line = sight.state.line(pinned.branch.as_ref());
    let made = ended.and_then(|_| {
        let versions = &line?.dataset(name)?.versions;
        versions.iter().rev().find(|v| v.run == Some(id))
    });
    let schema = made.map(|v| &v.schema).or(spec.map(|s| &s.compiled.columns));
    let version = made.map_or(0, |v| v.version);
    let facets = facets::of_dataset(namer, name, version, schema);
    let mut value = dataset(namer, name, facets);
    let written = ended.and_then(|f| f.usage.written.get(name));
    if let (Some(written), Some(fields)) = (written, value.as_object_mut()) {
        let body = facets::facet("1-0-2", "OutputStatisticsOutputDatasetFacet", amount(written));
        fields.insert("outputFacets".to_owned(), json!({ "outputStatistics": body }));
    }
    value
}

fn dataset(namer: &Namer, name: &DatasetName, facets: Map<String, Value>) -> Value {
    let (namespace, path) = namer.place(name);
    json!({ "namespace": namespace, "name": path, "facets": facets })
}

fn amount(amount: &Amount) -> Value {
    json!({ "rowCount": amount.rows.0, "size": amount.bytes.0 })
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, v| !v.is_null());
    }
    value
}
