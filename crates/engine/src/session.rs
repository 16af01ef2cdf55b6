//! The session of one run: its tables, its memory, its place to spill, its counters.
//!
//! Owns the way from SQL to an executable plan. A session knows the datasets that were mounted and no others, reads no
//! environment and no clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::TableProvider;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreUrl};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::physical_plan::ExecutionPlan;
use mainstay_base::Timestamp;
use mainstay_model::DatasetName;
use url::Url;

use crate::assignment::Mounted;
use crate::counted::CountedStore;
use crate::engine::Shared;
use crate::error::{Error, Kind};
use crate::exact;
use crate::memory::RunPool;
use crate::settings::Settings;
use crate::table::PinnedTable;
use crate::usage::Counted;
use crate::whole::{Checked, signed};

mod filters;
mod floats;
mod rules;

/// What one run can reach, and what it has used.
#[derive(Debug)]
pub(crate) struct Session {
    state: SessionState,
    tables: Mutex<BTreeMap<DatasetName, Arc<dyn TableProvider>>>,
    settings: Settings,
    as_of: Timestamp,
    pub(crate) meters: Arc<Meters>,
}

/// What a run has used so far; shared by its sessions.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) pool: Arc<RunPool>,
    /// Bytes fetched, by dataset.
    pub(crate) fetched: Mutex<BTreeMap<DatasetName, Arc<AtomicU64>>>,
    /// The plans that are being executed; their operators count.
    pub(crate) plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
    /// What plans that are done have counted.
    pub(crate) settled: Mutex<Counted>,
    /// Rows written so far.
    pub(crate) rows_written: AtomicU64,
    /// Slices whose files are complete.
    pub(crate) slices_written: AtomicU64,
}

impl Meters {
    /// Meters that have counted nothing.
    pub(crate) fn new(shared: &Shared) -> Self {
        Self {
            pool: Arc::new(RunPool::new(Arc::clone(&shared.pool))),
            fetched: Mutex::default(),
            plans: Mutex::default(),
            settled: Mutex::default(),
            rows_written: AtomicU64::new(0),
            slices_written: AtomicU64::new(0),
        }
    }

    /// Takes over what plans have counted, and lets go of them: a plan that was executed still holds what its joins collected.
    pub(crate) fn settle(&self) {
        let plans = std::mem::take(&mut *self.plans.lock().unwrap_or_else(PoisonError::into_inner));
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        plans.iter().for_each(|plan| settled.add(plan));
    }

    fn counter(&self, name: &DatasetName) -> Arc<AtomicU64> {
        Arc::clone(
            self.fetched
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(name.clone())
                .or_default(),
        )
    }

    /// Returns the bytes fetched so far, of all datasets.
    pub(crate) fn bytes_read(&self) -> u64 {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.values().map(|n| n.load(Ordering::Relaxed)).sum()
    }
}

impl Session {
    /// Opens a session without tables.
    pub(crate) fn new(
        shared: &Shared,
        settings: &Settings,
        as_of: Timestamp,
        meters: Arc<Meters>,
    ) -> Result<Self> {
        let pool: Arc<RunPool> = Arc::clone(&meters.pool);
        let runtime = RuntimeEnv {
            memory_pool: pool,
            disk_manager: Arc::clone(&shared.spill.disk),
            cache_manager: Arc::clone(&shared.caches),
            object_store_registry: Arc::new(DefaultObjectStoreRegistry::new()),
        };
        let mut state = mainstay_sql::state_builder()
            .with_config(settings.apply(mainstay_sql::session_config()))
            .with_runtime_env(Arc::new(runtime))
            .with_analyzer_rule(Arc::new(Checked))
            .with_optimizer_rules(rules::optimizer())
            .with_physical_optimizer_rules(filters::physical_optimizer())
            .build();
        exact::register(&mut state)?;
        Ok(Self {
            state,
            tables: Mutex::default(),
            settings: *settings,
            as_of,
            meters,
        })
    }

    /// The same session, with nothing to read.
    pub(crate) fn without_tables(&self) -> Self {
        Self {
            state: self.state.clone(),
            tables: Mutex::default(),
            settings: self.settings,
            as_of: self.as_of,
            meters: Arc::clone(&self.meters),
        }
    }

    /// Makes a dataset readable, in place of what had its name.
    pub(crate) fn mount(&self, mounted: &Mounted) -> Result<()> {
        let url = address(&mounted.name)?;
        let store = CountedStore::new(mounted.store.object_store(), self.meters.counter(&mounted.name));
        self.state
            .runtime_env()
            .register_object_store(url.as_ref(), Arc::new(store));
        self.add(
            mounted.name.clone(),
            Arc::new(PinnedTable::new(mounted, url, !self.settings.frugal)?),
        );
        Ok(())
    }

    /// Makes a table readable, in place of what had its name.
    pub(crate) fn add(&self, name: DatasetName, table: Arc<dyn TableProvider>) {
        self.tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, table);
    }

    /// Plans a query as its text says, over this session's tables; the present is bound, and there is one right answer.
    ///
    /// # Errors
    ///
    /// If the query is not right for these tables or has more than one right answer, in words.
    pub(crate) fn logical(&self, sql: &str) -> Result<LogicalPlan, Error> {
        let plan = mainstay_sql::deterministic(self.planned(sql)?).map_err(wrong)?;
        self.bound(plan)
    }

    /// As [`Session::logical`], but a question may have more than one right answer.
    pub(crate) fn asked(&self, sql: &str) -> Result<LogicalPlan, Error> {
        let plan = self.planned(sql)?;
        let plan = mainstay_sql::deterministic(plan.clone()).unwrap_or(plan);
        self.bound(plan)
    }

    fn planned(&self, sql: &str) -> Result<LogicalPlan, Error> {
        let source = |name: &DatasetName| -> Option<Arc<dyn TableSource>> {
            let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            tables.get(name).map(|t| provider_as_source(Arc::clone(t)))
        };
        mainstay_sql::plan(sql, &source).map_err(wrong)
    }

    fn bound(&self, plan: LogicalPlan) -> Result<LogicalPlan, Error> {
        let bound = mainstay_sql::bind_time(plan, self.as_of)
            .and_then(signed)
            .and_then(floats::made_exact);
        bound.map_err(|e| Error::bug(e.strip_backtrace()))
    }

    /// Optimises a plan and makes it executable; its operators are counted from now on.
    pub(crate) async fn physical(&self, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        self.state.create_physical_plan(plan).await
    }

    /// Remembers a plan that is about to be executed, for what its operators will have counted.
    pub(crate) fn counts(&self, plan: &Arc<dyn ExecutionPlan>) {
        self.meters
            .plans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(plan));
    }

    /// What operators need to execute.
    pub(crate) fn task(&self) -> Arc<TaskContext> {
        self.state.task_ctx()
    }

    /// The engine's settings for this session.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings that operators see.
    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }
}

fn wrong(problems: Vec<mainstay_sql::Problem>) -> Error {
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Error::new(
        Kind::Query,
        "MS0312",
        format!("the query cannot be planned: {}", said.join("; ")),
    )
}

/// The address under which a run's store of one dataset is found; it says which dataset a scan reads.
pub(crate) fn address(name: &DatasetName) -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(format!("dataset://{name}"))
}

/// The dataset that an address belongs to.
pub(crate) fn dataset_at(url: &ObjectStoreUrl) -> Option<DatasetName> {
    let url: &Url = url.as_ref();
    url.host_str().and_then(|host| host.parse().ok())
}
