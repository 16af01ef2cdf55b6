//! `deliver`: taking in what the sources' places hold.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use arrow::array::RecordBatch;
use mainstay_api::{DeliverReport, DeliveryReport, Error, ErrorKind, Progress};
use mainstay_base::{Hash, text};
use mainstay_catalog::Stage;
use mainstay_control::{Command, DeliveredFile, Taken, base_after_delivery};
use mainstay_engine::CancelToken;
use mainstay_ingest::{Arrival, Found, Intake, Taking, Watch};
use mainstay_model::delivery::{FileError, Outcome};
use mainstay_model::fact::Fact;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::spec::SourceSpec;
use mainstay_model::{DataFile, DatasetName, Schema, SliceKey};
use mainstay_storage::Store;

use crate::amend::{Ground, Laid};
use crate::error;
use crate::instance::{Instance, Watch as Watcher};
use crate::ledger::Recorded;
use crate::report;
use crate::step;

impl Instance {
    /// Takes in what the places of all sources hold, or of these.
    ///
    /// # Errors
    ///
    /// If a place cannot be read at all; files that cannot be read are part of the answer.
    pub fn deliver(&self, names: &[DatasetName], watch: Watcher<'_>) -> Result<DeliverReport, Error> {
        let mut sources: Vec<DatasetName> = self.with(|state| {
            let declared = state.declared().filter(|(k, ..)| k.kind == Kind::Source);
            declared.filter_map(|(k, ..)| k.name.parse().ok()).collect()
        });
        if let Some(branch) = &self.branch {
            return Err(Error::new(
                ErrorKind::Invalid,
                "MS0412",
                format!("files are delivered to the live side, not to branch `{branch}`"),
            )
            .help(format!(
                "mainstay deliver, then mainstay branch rebase {branch} takes over what came"
            )));
        }
        if sources.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "MS0003",
                "no source is applied yet, so there is nowhere to look",
            )
            .help("mainstay apply makes what the project declares"));
        }
        if let Some(unknown) = names.iter().find(|n| !sources.contains(n)) {
            return Err(Error::new(
                ErrorKind::NotFound,
                "MS0401",
                format!("there is no source `{unknown}`"),
            ));
        }
        if !names.is_empty() {
            sources.retain(|s| names.contains(s));
        }
        self.deliver_to(&sources, watch)
    }

    pub(crate) fn deliver_to(
        &self,
        sources: &[DatasetName],
        watch: Watcher<'_>,
    ) -> Result<DeliverReport, Error> {
        let mut report = DeliverReport {
            deliveries: Vec::new(),
            unchanged: 0,
            waiting: Vec::new(),
        };
        for name in sources {
            let resource = self.resource(&ResourceKey::new(Kind::Source, name));
            if let Some(Spec::Source(spec)) = resource.map(|r| r.spec) {
                self.deliver_one(name, &spec, watch, &mut report)?;
            }
        }
        Ok(report)
    }

    fn deliver_one(
        &self,
        name: &DatasetName,
        spec: &SourceSpec,
        watch: Watcher<'_>,
        report: &mut DeliverReport,
    ) -> Result<(), Error> {
        let dir = self
            .options
            .project
            .clone()
            .unwrap_or_else(|| self.options.home.clone());
        let place = Watch::open(spec, &dir).map_err(|e| error::place(name, &e))?;
        let seen = self
            .runtime
            .block_on(place.observe(self.clock.as_ref()))
            .map_err(|e| error::place(name, &e))?;
        let known = seen.iter().filter(|f| !self.is_wanted(name, f)).count();
        report.unchanged += known as u64;
        // A file that replaces its content may leave others that had the same: what only they hold now is taken in, too.
        for _ in 0..=seen.len() {
            let wanted = |f: &&Found| self.is_wanted(name, f) && !report.waiting.contains(&f.file);
            let new: Vec<Found> = seen.iter().filter(wanted).cloned().collect();
            if new.is_empty() {
                break;
            }
            self.deliver_round(name, spec, place.clone(), &new, watch, report)?;
        }
        Ok(())
    }

    fn deliver_round(
        &self,
        name: &DatasetName,
        spec: &SourceSpec,
        place: Watch,
        new: &[Found],
        watch: Watcher<'_>,
        report: &mut DeliverReport,
    ) -> Result<(), Error> {
        watch(Progress::Began {
            what: name.to_string(),
            unit: "files",
            total: Some(new.len() as u64),
        });
        let round = Round::new(self, name, spec, place)?;
        let (files, moving) = match round.take_all(new, watch) {
            Ok(taken) => taken,
            Err(e) => {
                self.clean(name);
                return Err(e);
            }
        };
        report.waiting.extend(moving);
        let taken = files.iter().filter_map(|f| f.result.as_ref()?.as_ref().ok());
        let staged: Vec<String> = taken
            .flat_map(|t| t.files.iter().map(|(_, f)| f.path.clone()))
            .collect();
        self.persist(name, &staged)?;
        step::at("deliver.staged");
        let schema = round.known().unwrap_or_default();
        let slice_columns: Vec<String> = spec.slice.iter().map(|s| s.name.clone()).collect();
        let laid = self.lay_over_delivery(name, (&schema, &slice_columns), &files, &round.prefix)?;
        let recorded = self.submit(Command::Deliver {
            source: name.clone(),
            schema,
            slice_columns,
            files,
            overlaid: laid.map(|l| l.overlaid),
        })?;
        step::at("deliver.recorded");
        self.project(name)?;
        step::at("deliver.projected");
        let fresh = self.delivery_reports(&recorded);
        if fresh.iter().any(|d| d.outcome != "taken") {
            self.clean(name);
        }
        let aside = fresh.iter().filter(|d| d.error.is_some()).count() as u64;
        let mut message = text::count(fresh.iter().map(|d| d.rows).sum(), "row");
        if aside > 0 {
            message = format!("{message}, {} set aside", text::count(aside, "file"));
        }
        report.deliveries.extend(fresh);
        watch(Progress::Ended {
            what: name.to_string(),
            ok: aside == 0,
            message,
        });
        Ok(())
    }

    /// Lays the amendments of a source over what it holds with newly delivered files; none if it has none.
    fn lay_over_delivery(
        &self,
        name: &DatasetName,
        about: (&Schema, &[String]),
        files: &[DeliveredFile],
        prefix: &str,
    ) -> Result<Option<Laid>, Error> {
        let ground = self.with(|sight| {
            let held = sight.dataset(name).filter(|d| !d.overlay.amendments.is_empty())?;
            let base = base_after_delivery(sight, name, about.0, about.1, files);
            Some(Ground::new(sight, name, about, base, &held.overlay.amendments))
        });
        let Some(ground) = ground else {
            return Ok(None);
        };
        let laid = self.lay(&ground, &format!("{prefix}-a"), &CancelToken::new())?;
        self.persist(name, &laid.files())?;
        Ok(Some(laid))
    }

    /// Makes sure that files staged for a dataset survive a power cut, before anything refers to them.
    pub(crate) fn persist(&self, dataset: &DatasetName, files: &[String]) -> Result<(), Error> {
        let table = self.table(dataset);
        let paths: Vec<String> = files.iter().map(|f| format!("{table}/{f}")).collect();
        let store = self.store()?;
        self.runtime
            .block_on(store.persist(&paths))
            .map_err(|e| error::storage(&e))
    }

    fn delivery_reports(&self, recorded: &Recorded) -> Vec<DeliveryReport> {
        let now = self.clock.now();
        self.with(|state| {
            let deliveries = recorded.iter().filter_map(|(_, fact)| match fact {
                Fact::Delivered(d) => Some(report::delivery(state, &d.delivery, now)),
                _ => None,
            });
            deliveries.collect()
        })
    }

    /// Says whether a file is to be taken in: it is not as it was seen last, or what it was a duplicate of is there no more.
    fn is_wanted(&self, source: &DatasetName, found: &Found) -> bool {
        self.with(|state| {
            let files = state.state.sources.get(source);
            let Some(file) = files.and_then(|files| files.get(&found.file)) else {
                return true;
            };
            let held = |content| {
                files.is_some_and(|f| f.values().any(|f| f.active.is_some_and(|(_, c)| c == content)))
            };
            let duplicate = matches!(file.last.outcome, Outcome::Duplicate { .. });
            file.last.observed != found.observed || duplicate && !held(file.last.content)
        })
    }
}

fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What is the same for all files of one delivery to one source.
struct Round<'a> {
    instance: &'a Instance,
    name: &'a DatasetName,
    place: Watch,
    intake: Intake,
    store: Store,
    /// What is there already, by content.
    held: BTreeSet<Hash>,
    /// The dataset's columns, as far as they are known; new ones are added as files bring them.
    schema: Mutex<Option<Schema>>,
    /// Where this delivery's files go; no other ever writes there.
    prefix: String,
}

/// What came of one file.
enum Came {
    /// It was read, or seen to be there already, or found to be bad.
    In(DeliveredFile),
    /// It was still being written.
    Moving(String),
}

impl<'a> Round<'a> {
    fn new(
        instance: &'a Instance,
        name: &'a DatasetName,
        spec: &'a SourceSpec,
        place: Watch,
    ) -> Result<Self, Error> {
        let store = instance.store()?;
        let (held, known, prefix) = {
            let ledger = instance.ledger();
            let state = ledger.state();
            let files = state
                .sources
                .get(name)
                .into_iter()
                .flat_map(|files| files.values());
            let known = state.main.dataset(name).and_then(|d| d.base().schema()).cloned();
            let epoch = ledger.journal().head().epoch;
            let held = files
                .filter_map(|f| f.active.map(|(_, content)| content))
                .collect();
            (held, known, format!("d{}-{epoch}", state.last_delivery + 1))
        };
        let declared = match (known, &spec.columns) {
            (Some(known), _) => Some(known),
            (None, Some(columns)) => mainstay_ingest::check_slice(spec, columns).ok(),
            (None, None) => None,
        };
        let intake = Intake::new(spec.clone());
        Ok(Self {
            instance,
            name,
            place,
            intake,
            store,
            held,
            schema: Mutex::new(declared),
            prefix,
        })
    }

    /// Takes the files in, several at once; the answers are in the order of the files. Also returns those still being written.
    fn take_all(
        &self,
        files: &[Found],
        watch: Watcher<'_>,
    ) -> Result<(Vec<DeliveredFile>, Vec<String>), Error> {
        let mut came = Vec::new();
        // Until the columns are known, one file after the other.
        while let Some(file) = files.get(came.len()).filter(|_| self.known().is_none()) {
            came.push(self.take(came.len(), file)?);
        }
        let first = came.len();
        let rest = files.get(first..).unwrap_or_default();
        let results: Vec<Mutex<Option<Result<Came, Error>>>> =
            rest.iter().map(|_| Mutex::default()).collect();
        let next = AtomicUsize::new(0);
        let threads = self.instance.parallel().min(rest.len().max(1));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let (Some(file), Some(slot)) = (rest.get(i), results.get(i)) else {
                            break;
                        };
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(self.take(first + i, file));
                        watch(Progress::At {
                            what: self.name.to_string(),
                            done: (first + i + 1) as u64,
                        });
                    }
                });
            }
        });
        for result in results {
            came.extend(unlocked(result).transpose()?);
        }
        let (mut delivered, mut moving) = (Vec::new(), Vec::new());
        for one in came {
            match one {
                Came::In(file) => delivered.push(file),
                Came::Moving(name) => moving.push(name),
            }
        }
        Ok((delivered, moving))
    }

    fn known(&self) -> Option<Schema> {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, index: usize, found: &Found) -> Result<Came, Error> {
        let delivered = |content, result| {
            Came::In(DeliveredFile {
                file: found.file.clone(),
                observed: found.observed.clone(),
                content,
                result,
            })
        };
        let scratch = &self.instance.options.home;
        let arrival = self.instance.runtime.block_on(self.place.fetch(found, scratch));
        let content = match arrival.map_err(|e| error::place(self.name, &e))? {
            Arrival::Complete(content) => content,
            Arrival::Unstable => return Ok(Came::Moving(found.file.clone())),
        };
        if self.held.contains(&content.hash()) {
            return Ok(delivered(content.hash(), None));
        }
        let known = self.known();
        let stage = SliceStage {
            round: self,
            index,
            stage: OnceLock::new(),
        };
        let taking = Taking {
            known: known.as_ref(),
            file: &found.file,
            content: &content,
            stage: &stage,
        };
        let result = match self.intake.take(taking) {
            Ok(taken) => self.learn(&taken.schema).map(|()| Taken {
                rows: taken.rows,
                files: taken.files,
            }),
            Err(mainstay_ingest::Error::File(error)) => Err(error),
            Err(e @ mainstay_ingest::Error::Failed(_)) => {
                return Err(error::intake(self.name, &found.file, &e));
            }
        };
        Ok(delivered(content.hash(), Some(result)))
    }

    /// Adds a file's new columns to the dataset's.
    fn learn(&self, schema: &Schema) -> Result<(), FileError> {
        let mut known = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = known.as_mut() else {
            *known = Some(schema.clone());
            return Ok(());
        };
        for column in &schema.0 {
            match held.column(&column.name) {
                None => held.0.push(column.clone()),
                Some(same) if same.column_type == column.column_type => {}
                Some(other) => {
                    return Err(FileError {
                        code: "MS0265".to_owned(),
                        message: format!(
                            "column `{}` is {} here and {} in another file of this delivery",
                            column.name, column.column_type, other.column_type
                        ),
                        row: None,
                        column: Some(column.name.clone()),
                        help: Some(
                            "declare the column's type in the source, or deliver files that agree".to_owned(),
                        ),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Where one file's rows go: below a prefix of its own.
struct SliceStage<'a> {
    round: &'a Round<'a>,
    index: usize,
    stage: OnceLock<Stage>,
}

impl mainstay_ingest::Stage for SliceStage<'_> {
    fn stage(&self, slice: &SliceKey, rows: &RecordBatch) -> Result<DataFile, mainstay_ingest::Error> {
        let failed = |e: mainstay_catalog::Error| mainstay_ingest::Error::failed(e);
        let stage = match self.stage.get() {
            Some(stage) => stage,
            None => {
                let round = self.round;
                let columns = mainstay_sql::arrow_types::columns(&rows.schema());
                let schema = columns.map_err(|(column, _)| mainstay_ingest::Error::failed(column))?;
                let slice_columns: Vec<String> =
                    round.intake.spec().slice.iter().map(|s| s.name.clone()).collect();
                let attempt = format!("{}-{}", round.prefix, self.index);
                let table = round.instance.table(round.name);
                let made =
                    Stage::new(&round.store, &table, &attempt, &schema, &slice_columns).map_err(failed)?;
                self.stage.get_or_init(|| made)
            }
        };
        self.round.instance.runtime.block_on(async {
            let mut writer = stage.slice(slice).map_err(failed)?;
            writer.write(rows).await.map_err(failed)?;
            let files = writer.finish().await.map_err(failed)?;
            files
                .into_iter()
                .next()
                .ok_or_else(|| mainstay_ingest::Error::failed("rows were staged to no file"))
        })
    }
}
