//! Questions that people ask: read-only, answered batch by batch.
//!
//! Owns nothing that a run does not have too, except tables that are made when they are read (the journal's). Nothing is staged
//! and nothing is recorded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session as Planner, TableProvider};
use datafusion::common::Result as Outcome;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use mainstay_base::Timestamp;
use mainstay_model::DatasetName;
use mainstay_model::run::Usage;
use tokio::sync::mpsc;

use crate::assignment::Mounted;
use crate::attempt::{Attempt, Event};
use crate::cancel::CancelToken;
use crate::engine::{Engine, Shared};
use crate::error::Error;
use crate::error::translate::translate;
use crate::session::{Meters, Session};
use crate::settings::Settings;
use crate::usage;

/// A table that is made when a query reads it, for example from the journal.
#[derive(Clone)]
pub struct SystemTable {
    /// Its name, `system.facts` for example.
    pub name: DatasetName,
    /// Its columns.
    pub schema: SchemaRef,
    /// Makes its rows; errors are words for the user. Called once for each time that a query names the table.
    pub rows: Arc<dyn Fn() -> Result<Vec<RecordBatch>, String> + Send + Sync>,
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemTable({})", self.name)
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The query.
    pub sql: String,
    /// The datasets that it may read.
    pub inputs: Vec<Mounted>,
    /// The tables that it may read besides.
    pub tables: Vec<SystemTable>,
    /// What `now()` and `current_date` mean.
    pub as_of: Timestamp,
    /// How long it may take; no limit if left out.
    pub time_limit: Option<Duration>,
}

/// What is known when a question was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The columns, also of an answer without rows.
    pub schema: SchemaRef,
    /// What answering used.
    pub usage: Usage,
}

impl Engine {
    /// Answers a question; `take` gets the rows as they come, in the order that the query asks for, on this thread. Blocks until
    /// all were taken; call it from a plain thread.
    ///
    /// # Errors
    ///
    /// As for [`Engine::run`], and those of `take`, after which no more rows are computed.
    pub fn query(
        &self,
        question: Question,
        cancel: &CancelToken,
        take: &mut dyn FnMut(RecordBatch) -> Result<(), Error>,
    ) -> Result<Answer, Error> {
        let attempt = Attempt::start(&self.idle, self.settings.threads, question.time_limit)?;
        let meters = Arc::new(Meters::new(&self.shared));
        let (sender, sent) = mpsc::channel(4);
        let work = answer(
            Arc::clone(&self.shared),
            self.settings,
            question,
            Arc::clone(&meters),
            sender,
        );
        let answered = attempt.carry_out(work, sent, cancel, |event| match event {
            Event::Tick => Ok(()),
            Event::Item(batch) => take(batch),
        });
        let (cpu, wall) = attempt.end(answered.is_ok());
        let usage = usage::of_run(&meters, &usage::Spent { cpu, wall });
        match answered {
            Ok(schema) => Ok(Answer { schema, usage }),
            Err(mut e) => {
                e.usage = Box::new(usage);
                Err(e)
            }
        }
    }
}

async fn answer(
    shared: Arc<Shared>,
    settings: Settings,
    question: Question,
    meters: Arc<Meters>,
    rows: mpsc::Sender<RecordBatch>,
) -> Result<SchemaRef, Error> {
    let told = |e: DataFusionError| translate(&e, shared.limits);
    let session = Session::new(&shared, &settings, question.as_of, meters).map_err(told)?;
    for input in &question.inputs {
        session.mount(input).map_err(told)?;
    }
    for table in question.tables {
        session.add(table.name.clone(), Arc::new(MadeWhenRead(table)));
    }
    let logical = session.asked(&question.sql)?;
    let plan = session.physical(&logical).await.map_err(told)?;
    let schema = plan.schema();
    session.counts(&plan);
    let mut stream = execute_stream(plan, session.task()).map_err(told)?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(told)?;
        if batch.num_rows() > 0 && rows.send(batch).await.is_err() {
            break;
        }
    }
    Ok(schema)
}

/// A system table as the planner sees it.
#[derive(Debug)]
struct MadeWhenRead(SystemTable);

#[async_trait]
impl TableProvider for MadeWhenRead {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Planner,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Outcome<Arc<dyn ExecutionPlan>> {
        let make = Arc::clone(&self.0.rows);
        let made = tokio::task::spawn_blocking(move || make()).await;
        let rows = made.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?;
        let rows =
            rows.map_err(|why| DataFusionError::Execution(format!("{} cannot be read: {why}", self.0.name)))?;
        Ok(MemorySourceConfig::try_new_exec(
            &[rows],
            Arc::clone(&self.0.schema),
            projection.cloned(),
        )?)
    }
}
