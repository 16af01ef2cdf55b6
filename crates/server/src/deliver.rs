//! `deliver`: taking in what the sources' places hold.

mod again;
mod judge;
mod round;

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{DeliverReport, DeliveryReport, Error, ErrorKind, Progress, SourceRefusal, SourceWarning};
use mainstay_base::text;
use mainstay_control::{Command, DeliveredFile, base_after_delivery};
use mainstay_engine::CancelToken;
use mainstay_ingest::Watch;
use mainstay_model::fact::Fact;
use mainstay_model::id::DeliveryId;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::spec::SourceSpec;
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};

use crate::amend::{Ground, Laid};
use crate::error;
use crate::instance::{Instance, Watch as Watcher};
use crate::ledger::Recorded;
use crate::report;
use crate::step;

pub(crate) use again::read_otherwise;
use judge::{Judged, Judging};
use round::Round;

/// How often files are read again because amendments of their source were made meanwhile.
const AGAIN: usize = 4;
/// The code of a source whose files cannot all be read as it says now.
pub(crate) const NOT_AGAIN: &str = "MS0272";

impl Instance {
    /// Takes in what the places of all sources hold, or of these.
    ///
    /// # Errors
    ///
    /// If a place cannot be read at all, or `Interrupted` if it is stopped: then the source that it was at is as it was. Files that
    /// cannot be read are part of the answer.
    pub fn deliver(
        &self,
        names: &[DatasetName],
        cancel: &CancelToken,
        watch: Watcher<'_>,
    ) -> Result<DeliverReport, Error> {
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
        self.deliver_to(&sources, cancel, watch)
    }

    /// Takes in a file that was held back, or gives it up; what the place holds now is what counts.
    ///
    /// # Errors
    ///
    /// `NotFound` for a delivery that another one of its file has followed, `Invalid` for one that is not held back.
    pub fn answer_delivery(
        &self,
        delivery: DeliveryId,
        accepted: bool,
        cancel: &CancelToken,
        watch: Watcher<'_>,
    ) -> Result<DeliverReport, Error> {
        self.submit(Command::AnswerDelivery { delivery, accepted })?;
        let source = self.with(|sight| {
            let mut files = sight.state.sources.values().flat_map(BTreeMap::values);
            files
                .find(|f| f.last.id == delivery)
                .map(|f| f.last.source.clone())
        });
        let Some(source) = source.filter(|_| accepted) else {
            return Ok(DeliverReport {
                deliveries: self.with(|sight| {
                    let files = sight.state.sources.values().flat_map(BTreeMap::values);
                    let file = files.filter(|f| f.last.id == delivery);
                    file.map(|f| report::source_file(sight, f)).collect()
                }),
                ..DeliverReport::default()
            });
        };
        self.deliver_to(&[source], cancel, watch)
    }

    /// Waits for something until it is done, or until it is stopped.
    fn until<T>(&self, cancel: &CancelToken, work: impl Future<Output = T>) -> Result<T, Error> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(error::stopped()),
                done = work => Ok(done),
            }
        })
    }

    pub(crate) fn deliver_to(
        &self,
        sources: &[DatasetName],
        cancel: &CancelToken,
        watch: Watcher<'_>,
    ) -> Result<DeliverReport, Error> {
        let mut report = DeliverReport::default();
        for name in sources {
            let resource = self.resource(&ResourceKey::new(Kind::Source, name));
            if let Some(Spec::Source(spec)) = resource.map(|r| r.spec) {
                match self.deliver_one(name, &spec, cancel, watch, &mut report) {
                    // A place that cannot be read is no reason to leave the others unread.
                    Err(e) if e.code == error::PLACE && sources.len() > 1 => {
                        report.refused.push(SourceRefusal {
                            source: name.to_string(),
                            error: e,
                        });
                    }
                    other => other?,
                }
            }
        }
        Ok(report)
    }

    fn deliver_one(
        &self,
        name: &DatasetName,
        spec: &SourceSpec,
        cancel: &CancelToken,
        watch: Watcher<'_>,
        report: &mut DeliverReport,
    ) -> Result<(), Error> {
        self.within(&spec.files)?;
        let _turn = self.take_source(name, cancel).ok_or_else(error::stopped)?;
        let place = Watch::open(spec, &self.place_dir()).map_err(|e| error::place(name, &e))?;
        let seen = self
            .until(cancel, place.observe(self.clock.as_ref()))?
            .map_err(|e| error::place(name, &e))?;
        // A file that replaces its content may leave others that had the same: what only they hold now is taken in, too.
        for round in 0..=seen.len() {
            let moving: BTreeSet<&String> = report.waiting.iter().collect();
            let seen = seen
                .iter()
                .filter(|f| !moving.contains(&f.file))
                .cloned()
                .collect();
            let sorted = self.with(|sight| again::sort(sight, name, spec, seen));
            if round == 0 {
                report.unchanged += sorted.unchanged;
            }
            if !sorted.gone.is_empty() {
                let why = sorted.gone.iter().map(|f| format!("{f} is gone")).collect();
                report.refused.push(not_again(name, sorted.again.len(), why));
                break;
            }
            let only_company = round > 0 && sorted.read.iter().all(|f| !self.is_orphan(name, &f.file));
            if sorted.read.is_empty() || only_company {
                break;
            }
            let refused = report.refused.len();
            for again in 0.. {
                let at = (place.clone(), again);
                let done = self.deliver_round((name, spec), at, &sorted, cancel, watch, report);
                match done {
                    // An amendment was made meanwhile: what readers would see is another thing now.
                    Err(e) if e.kind == ErrorKind::OutOfDate && again < AGAIN => self.clean(name),
                    done => {
                        done?;
                        break;
                    }
                }
            }
            if report.refused.len() > refused {
                break;
            }
        }
        Ok(())
    }

    /// Says whether a file is as it was and its content is there no more, or was passed over as a duplicate of what went away.
    fn is_orphan(&self, name: &DatasetName, file: &str) -> bool {
        self.with(|sight| {
            let known = sight.state.sources.get(name);
            known.is_none_or(|known| known.get(file).is_none_or(|f| again::orphaned(known, f)))
        })
    }

    fn deliver_round(
        &self,
        (name, spec): (&DatasetName, &SourceSpec),
        (place, again): (Watch, usize),
        sorted: &again::Sorted,
        cancel: &CancelToken,
        watch: Watcher<'_>,
        report: &mut DeliverReport,
    ) -> Result<(), Error> {
        // Where the rows would go is looked at before any file is.
        self.store()?;
        watch(Progress::Began {
            what: name.to_string(),
            unit: "files",
            total: Some(sorted.read.len() as u64),
        });
        let slice_columns: Vec<String> = spec.slice.iter().map(|s| s.name.clone()).collect();
        let mut round = Round::new(self, name, spec, place, !sorted.again.is_empty(), cancel)?;
        round.tried(again);
        let prefix = round.prefix().to_owned();
        let judged = round.take_all(&sorted.read, watch).and_then(|read| {
            let moving = read.moving.clone();
            let about = Judging {
                name,
                slice_columns: &slice_columns,
                grounds: &sorted.grounds,
                prefix: &prefix,
                cancel,
            };
            Ok((self.judge_files(&about, read)?, moving))
        });
        let (judged, moving) = judged.inspect_err(|_| self.clean(name))?;
        let why = in_the_way(&sorted.again, &judged.files, &moving);
        if !why.is_empty() {
            self.clean(name);
            let refused = not_again(name, sorted.again.len(), why);
            watch(Progress::Ended {
                what: name.to_string(),
                ok: false,
                message: refused.error.message.clone(),
            });
            report.refused.push(refused);
            return Ok(());
        }
        report.waiting.extend(moving);
        let Judged {
            schema,
            files,
            laid,
            checks,
        } = judged;
        let taken = files.iter().filter_map(|f| f.result.as_ref()?.as_ref().ok());
        let staged: Vec<String> = taken
            .flat_map(|t| t.files.iter().map(|(_, f)| f.path.clone()))
            .collect();
        if cancel.is_cancelled() {
            self.clean(name);
            return Err(error::stopped());
        }
        self.persist(name, &staged)?;
        let over: Vec<String> = laid.iter().flat_map(Laid::files).collect();
        self.persist(name, &over)?;
        step::at("deliver.staged");
        let recorded = self.submit(Command::Deliver {
            source: name.clone(),
            schema,
            slice_columns,
            files,
            overlaid: laid.map(|l| l.overlaid),
        })?;
        step::at("deliver.recorded");
        // Slices that came out as they were are not referred to.
        self.discard(name, &over);
        self.project(name)?;
        step::at("deliver.projected");
        let fresh = self.delivery_reports(&recorded);
        if fresh.iter().any(|d| d.outcome != "taken") {
            self.clean(name);
        }
        let of = |outcome: &str| fresh.iter().filter(|d| d.outcome == outcome).count() as u64;
        let (aside, held) = (of("set_aside"), of("held"));
        let mut message = text::count(fresh.iter().map(|d| d.rows).sum(), "row");
        for (n, what) in [(aside, "set aside"), (held, "held back")] {
            if n > 0 {
                message = format!("{message}, {} {what}", text::count(n, "file"));
            }
        }
        let warned = checks.into_iter().filter(|c| c.violations > 0);
        report.warnings.extend(warned.map(|outcome| SourceWarning {
            source: name.to_string(),
            outcome,
        }));
        report.deliveries.extend(fresh);
        watch(Progress::Ended {
            what: name.to_string(),
            ok: aside + held == 0,
            message,
        });
        Ok(())
    }

    /// Lays the amendments of a source over what it holds with newly delivered files; none if it has none, or if they change
    /// nothing.
    fn lay_over_delivery(
        &self,
        name: &DatasetName,
        about: (&Schema, &[String]),
        files: &[DeliveredFile],
        prefix: &str,
        cancel: &CancelToken,
    ) -> Result<Option<Laid>, Error> {
        let ground = self.with(|sight| {
            let held = sight.dataset(name).filter(|d| !d.overlay.amendments.is_empty())?;
            let base = base_after_delivery(sight, name, about.0, about.1, files);
            let now = held.base();
            let same = now.schema() == Some(about.0)
                && now.newest().count() == base.len()
                && now
                    .newest()
                    .all(|(slice, content)| base.get(slice) == Some(content));
            (!same).then(|| Ground::new(sight, name, about, base, &held.overlay.amendments))
        });
        ground.map(|ground| self.lay(&ground, prefix, cancel)).transpose()
    }

    /// Lays the amendments of a source over the rows of one file, without the rows that they bring.
    fn lay_over_file(
        &self,
        name: &DatasetName,
        about: (&Schema, &[String]),
        rows: &BTreeMap<SliceKey, SliceVersion>,
        prefix: &str,
        cancel: &CancelToken,
    ) -> Result<Option<Laid>, Error> {
        let ground = self.with(|sight| {
            let held = sight.dataset(name).filter(|d| !d.overlay.amendments.is_empty())?;
            let ground = Ground::new(sight, name, about, rows.clone(), &held.overlay.amendments);
            Some(ground.without_brought())
        });
        ground.map(|ground| self.lay(&ground, prefix, cancel)).transpose()
    }

    /// Returns those of these files of a source that are not in its place any more; none if the place cannot be looked at.
    pub(crate) fn gone(&self, spec: &SourceSpec, files: &BTreeSet<String>) -> Vec<String> {
        if self.within(&spec.files).is_err() {
            return Vec::new();
        }
        let seen = Watch::open(spec, &self.place_dir())
            .and_then(|place| self.runtime.block_on(place.observe(self.clock.as_ref())));
        seen.map(|seen| again::missing(files, &seen)).unwrap_or_default()
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
}

/// Says which files of those that have to be read again could not be, and why.
fn in_the_way(again: &BTreeSet<String>, files: &[DeliveredFile], moving: &[String]) -> Vec<String> {
    let bad = files.iter().filter(|f| again.contains(&f.file)).filter_map(|f| {
        let error = f.result.as_ref()?.as_ref().err()?;
        Some(format!("{}: {}", f.file, error.message))
    });
    let moving = moving.iter().filter(|f| again.contains(*f));
    bad.chain(moving.map(|f| format!("{f} is still being written")))
        .collect()
}

/// The refusal of a delivery to a source whose files cannot all be read as it says now: rows of two layouts never mix.
fn not_again(name: &DatasetName, of: usize, why: Vec<String>) -> SourceRefusal {
    const SHOWN: usize = 5;
    let (n, files) = (why.len(), text::count(of as u64, "file"));
    let mut causes: Vec<String> = why.into_iter().take(SHOWN).collect();
    if n > SHOWN {
        causes.push(format!(
            "and so on for {}",
            text::count((n - SHOWN) as u64, "more file")
        ));
    }
    let message =
        format!("{name} has to read its {files} again, as its source now says, and {n} of them cannot be");
    let mut error = Error::new(ErrorKind::Failed, NOT_AGAIN, message).help(format!(
        "nothing was changed; put the files right, or undo the change: mainstay history source/{name} names the apply to revert"
    ));
    error.causes = causes;
    SourceRefusal {
        source: name.to_string(),
        error,
    }
}
