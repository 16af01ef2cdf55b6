//! The tables of `system`: the journal and what is folded from it, as data.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use mainstay_api::Error;
use mainstay_control::Sight;
use mainstay_engine::SystemTable;
use mainstay_model::DatasetName;
use mainstay_sql::InputTable;
use serde_json::{Value, json};

use crate::error;
use crate::instance::Instance;
use crate::report;

/// One table: its name and its columns, each with its type.
struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Type)],
}

#[derive(Clone, Copy)]
enum Type {
    Text,
    Long,
    Double,
    Time,
    Flag,
}

use Type::{Double, Flag, Long, Text, Time};

const TABLES: [Table; 7] = [
    Table {
        name: "facts",
        columns: &[
            ("seq", Long),
            ("time", Time),
            ("account", Text),
            ("actor", Text),
            ("kind", Text),
            ("version", Long),
            ("subject", Text),
            ("reason", Text),
            ("cause", Long),
            ("body", Text),
        ],
    },
    Table {
        name: "runs",
        columns: &[
            ("run", Text),
            ("job", Text),
            ("outcome", Text),
            ("because", Text),
            ("actor", Text),
            ("recorded", Time),
            ("ended", Time),
            ("seconds", Double),
            ("attempts", Long),
            ("slices", Long),
            ("rows", Long),
            ("reused", Flag),
            ("reused_from", Text),
            ("saved_seconds", Double),
            ("cpu_seconds", Double),
            ("peak_memory_bytes", Long),
            ("spilled_bytes", Long),
            ("code", Text),
            ("engine", Text),
            ("version", Long),
            ("branch", Text),
            ("error_code", Text),
            ("error", Text),
            ("unread", Long),
            ("cross_checked", Long),
            ("cross_check_differing", Long),
            ("cross_check_cpu_seconds", Double),
            ("seq", Long),
        ],
    },
    Table {
        name: "slices",
        columns: &[
            ("dataset", Text),
            ("slice", Text),
            ("rows", Long),
            ("bytes", Long),
            ("files", Long),
            ("digest", Text),
            ("fingerprint", Text),
            ("version", Long),
            ("run", Text),
            ("published", Time),
        ],
    },
    Table {
        name: "resources",
        columns: &[
            ("kind", Text),
            ("name", Text),
            ("generation", Long),
            ("tags", Text),
            ("spec", Text),
            ("apply", Long),
            ("time", Time),
            ("actor", Text),
            ("reason", Text),
            ("seq", Long),
        ],
    },
    Table {
        name: "deliveries",
        columns: &[
            ("delivery", Text),
            ("source", Text),
            ("file", Text),
            ("outcome", Text),
            ("rows", Long),
            ("bytes", Long),
            ("content", Text),
            ("time", Time),
            ("error_code", Text),
            ("error", Text),
            ("error_row", Long),
            ("error_column", Text),
            ("seq", Long),
        ],
    },
    Table {
        name: "amendments",
        columns: &[
            ("amendment", Text),
            ("dataset", Text),
            ("edit", Text),
            ("status", Text),
            ("actor", Text),
            ("time", Time),
            ("reason", Text),
            ("branch", Text),
            ("rows_changed", Long),
            ("rows_deleted", Long),
            ("rows_inserted", Long),
            ("runs", Long),
            ("cpu_seconds", Double),
            ("seconds", Double),
            ("error_code", Text),
            ("error", Text),
            ("seq", Long),
        ],
    },
    Table {
        name: "usage",
        columns: &[
            ("run", Text),
            ("job", Text),
            ("attempt", Long),
            ("dataset", Text),
            ("direction", Text),
            ("rows", Long),
            ("bytes", Long),
            ("cpu_seconds", Double),
            ("wall_seconds", Double),
            ("peak_memory_bytes", Long),
            ("spilled_bytes", Long),
            ("started", Time),
        ],
    },
];

impl Instance {
    /// Makes the tables of `system` that a query reads.
    pub(crate) fn system_tables(&self, wanted: &[DatasetName]) -> Result<Vec<SystemTable>, Error> {
        let mut made = Vec::new();
        for name in wanted {
            // One that is not there is found to be wrong where the query names it.
            let Some(table) = TABLES.iter().find(|t| t.name == name.table()) else {
                continue;
            };
            let rows = match table.name {
                "facts" => self.fact_rows()?,
                "runs" => {
                    let gone = self.writer_is_gone();
                    self.with(|s| run_rows(s, gone))
                }
                "slices" => self.with(slice_rows),
                "resources" => self.with(resource_rows),
                "deliveries" => self.with(delivery_rows),
                "amendments" => self.with(amendment_rows),
                _ => self.with(usage_rows),
            };
            let schema = schema(table);
            let batches = batches(&schema, &rows)?;
            made.push(SystemTable {
                name: name.clone(),
                schema,
                rows: Arc::new(move || Ok(batches.clone())),
            });
        }
        Ok(made)
    }

    fn fact_rows(&self) -> Result<Vec<Value>, Error> {
        let ledger = self.ledger();
        let records = ledger.journal().records(
            1,
            mainstay_journal::Filter {
                account: Some(self.account().to_owned()),
                ..mainstay_journal::Filter::default()
            },
        );
        let row = |r: mainstay_journal::Record| {
            let body = r.body.map(|b| String::from_utf8_lossy(&b).into_owned());
            json!({ "seq": r.seq, "time": r.time, "account": r.account, "actor": r.actor, "kind": r.kind,
                "version": r.kind_version, "subject": r.subject, "reason": r.reason, "cause": r.cause, "body": body })
        };
        records
            .map(|r| r.map(row).map_err(|e| error::journal(&e)))
            .collect()
    }
}

/// Returns the tables of `system` with their columns, for planning.
pub(crate) fn columns() -> BTreeMap<DatasetName, InputTable> {
    let each = TABLES.iter().filter_map(|t| {
        let columns = mainstay_sql::arrow_types::columns(&schema(t)).ok()?;
        let table = InputTable {
            schema: columns,
            slice_columns: Vec::new(),
        };
        Some((format!("system.{}", t.name).parse().ok()?, table))
    });
    each.collect()
}

fn schema(table: &Table) -> SchemaRef {
    let field = |(name, t): &(&str, Type)| {
        let data_type = match t {
            Text => DataType::Utf8,
            Long => DataType::Int64,
            Double => DataType::Float64,
            Flag => DataType::Boolean,
            Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        Field::new(*name, data_type, true)
    };
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}

fn batches(schema: &SchemaRef, rows: &[Value]) -> Result<Vec<RecordBatch>, Error> {
    let defect = |e: arrow::error::ArrowError| error::defect("make a table of `system`", &e);
    let mut out = Vec::new();
    for chunk in rows.chunks(8192) {
        let builder = arrow_json::ReaderBuilder::new(schema.clone()).with_batch_size(chunk.len());
        let mut decoder = builder.build_decoder().map_err(defect)?;
        decoder.serialize(chunk).map_err(defect)?;
        out.extend(decoder.flush().map_err(defect)?);
    }
    Ok(out)
}

fn run_rows(state: &Sight<'_>, gone: bool) -> Vec<Value> {
    let each = |(id, r): (mainstay_model::RunId, &mainstay_control::Run)| {
        let used = r.usage();
        let mut report = report::run(state, id, r, r.ended.unwrap_or(r.recorded));
        if gone {
            report::lose(&mut report);
        }
        let checked = r.cross_check.as_ref();
        json!({ "run": report.id, "job": report.job, "outcome": report.outcome, "because": r.because, "actor": r.actor,
            "recorded": r.recorded, "ended": r.ended, "seconds": report.seconds, "attempts": r.attempts.len(),
            "slices": r.slices.len(), "rows": report.rows, "reused": r.reused_from.is_some(),
            "reused_from": report.reused_from, "saved_seconds": report.saved_seconds, "cpu_seconds": used.cpu.seconds(),
            "peak_memory_bytes": used.peak_memory.0, "spilled_bytes": used.spilled.0, "code": r.pinned.code,
            "engine": r.pinned.engine, "version": r.published, "branch": r.pinned.branch, "error_code": r.error.as_ref().map(|e| &e.code),
            "error": r.error.as_ref().map(|e| &e.message), "unread": r.unread.len(), "cross_checked": checked.map_or(0, |c| c.slices.len()),
            "cross_check_differing": checked.map_or(0, |c| c.differing.len()),
            "cross_check_cpu_seconds": checked.map_or(0.0, |c| c.cpu.seconds()), "seq": r.seq })
    };
    state.state.runs.iter().map(each).collect()
}

fn slice_rows(state: &Sight<'_>) -> Vec<Value> {
    let mut rows = Vec::new();
    for (name, d) in &state.datasets {
        for (key, history) in &d.slices {
            let Some(content) = history.newest() else { continue };
            let entry = d.versions.iter().find(|v| v.version == history.since());
            rows.push(
                json!({ "dataset": name, "slice": key.text(&d.slice_columns), "rows": content.rows().0,
                "bytes": content.bytes().0, "files": content.files.len(), "digest": content.digest(),
                "fingerprint": history.fingerprint(), "version": history.since(),
                "run": entry.and_then(|v| v.run), "published": entry.map(|v| v.time) }),
            );
        }
    }
    rows
}

fn resource_rows(state: &Sight<'_>) -> Vec<Value> {
    let each = |(key, g, r): (
        &mainstay_model::ResourceKey,
        &mainstay_control::Generation,
        &mainstay_model::Resource,
    )| {
        let text = |v: serde_json::Result<String>| v.unwrap_or_default();
        json!({ "kind": key.kind, "name": key.name, "generation": g.number, "tags": text(serde_json::to_string(&r.tags)),
            "spec": text(serde_json::to_string(&r.spec)), "apply": g.apply.0, "time": g.time, "actor": g.actor,
            "reason": g.reason, "seq": g.seq })
    };
    state.declared().map(each).collect()
}

fn delivery_rows(state: &Sight<'_>) -> Vec<Value> {
    let each = |f: &mainstay_control::SourceFile| {
        let d = &f.last;
        let seen = report::source_file(state, f);
        let (outcome, rows, error) = (seen.outcome, seen.rows, seen.error);
        let error = error.as_ref();
        json!({ "delivery": d.id, "source": d.source, "file": d.file, "outcome": outcome, "rows": rows,
            "bytes": d.observed.bytes.0, "content": d.content, "time": f.time, "error_code": error.map(|e| &e.code),
            "error": error.map(|e| &e.message), "error_row": error.and_then(|e| e.row),
            "error_column": error.and_then(|e| e.column.as_ref()), "seq": f.seq })
    };
    state
        .state
        .sources
        .values()
        .flat_map(|files| files.values())
        .map(each)
        .collect()
}

/// One line for each dataset that an attempt read or wrote, and one for the attempt itself.
fn amendment_rows(sight: &Sight<'_>) -> Vec<Value> {
    let all = sight.state.amendments.iter();
    all.map(|(id, a)| {
        let r = report::amendment("", sight, *id, a);
        let took = r.took.as_ref();
        json!({
            "amendment": r.amendment, "dataset": r.dataset, "edit": r.edit, "status": r.status, "actor": r.who,
            "time": r.time, "reason": r.reason, "branch": a.branch, "rows_changed": r.rows.changed,
            "rows_deleted": r.rows.deleted, "rows_inserted": r.rows.inserted, "runs": r.runs.len(),
            "cpu_seconds": took.and_then(|t| t.cpu_seconds), "seconds": took.and_then(|t| t.seconds),
            "error_code": a.error.as_ref().map(|e| &e.code), "error": a.error.as_ref().map(|e| &e.message), "seq": r.seq,
        })
    })
    .collect()
}

fn usage_rows(state: &Sight<'_>) -> Vec<Value> {
    let mut rows = Vec::new();
    for (id, run) in state.state.runs.iter() {
        let last = run.attempts.last().map(|a| a.number);
        for a in &run.attempts {
            let u = &a.usage;
            rows.push(
                json!({ "run": id, "job": run.pinned.job, "attempt": a.number, "direction": "compute",
                "cpu_seconds": u.cpu.seconds(), "wall_seconds": u.wall_us as f64 / 1e6,
                "peak_memory_bytes": u.peak_memory.0, "spilled_bytes": u.spilled.0, "started": a.started }),
            );
            if let Some(c) = run.cross_check.as_ref().filter(|_| Some(a.number) == last) {
                rows.push(json!({ "run": id, "job": run.pinned.job, "attempt": a.number, "direction": "cross-check",
                    "cpu_seconds": c.cpu.seconds(), "wall_seconds": c.wall_us as f64 / 1e6, "started": a.started }));
            }
            for (direction, amounts) in [("read", &u.read), ("write", &u.written)] {
                for (dataset, amount) in amounts {
                    rows.push(json!({ "run": id, "job": run.pinned.job, "attempt": a.number, "dataset": dataset,
                        "direction": direction, "rows": amount.rows.0, "bytes": amount.bytes.0, "started": a.started }));
                }
            }
        }
    }
    rows
}
