//! One replay: a run of the chain with some of its differences kept, then the runs that read what it makes, and whether the
//! last of them shows what is to be explained.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use mainstay_api::{Error, ErrorKind, Progress, Trial};
use mainstay_base::Bytes;
use mainstay_engine::{Finished, Kind, Mounted};
use mainstay_model::{DatasetName, SliceKey, SliceVersion};

use super::case::Place;
use super::{MOST, Search, Symptom};

/// What one computation came to.
enum Came {
    Finished(Finished),
    Failed(mainstay_engine::Error),
}

/// What was staged aside, and has to be removed.
struct Staged {
    job: DatasetName,
    prefix: String,
}

impl Search<'_> {
    /// Says whether a run of the chain shows what is to be explained with these differences kept and the others undone; none if
    /// no more may be tried.
    pub(super) fn shows(&mut self, at: usize, set: &[usize]) -> Result<Option<bool>, Error> {
        let mut key = set.to_vec();
        key.sort_unstable();
        if let Some(known) = self.asked.get(&(at, key.clone())) {
            return Ok(Some(*known));
        }
        if self.trials.len() >= MOST {
            return Ok(None);
        }
        if self.cancel.is_cancelled() {
            return Err(Error::new(
                ErrorKind::Interrupted,
                "MS0302",
                "the proof was stopped",
            ));
        }
        let mut staged = Vec::new();
        let result = self.tried(at, &key, &mut staged);
        for s in &staged {
            self.instance.forget_staged(&s.job, &s.prefix);
        }
        let (shows, outcome) = result?;
        if let Some(stage) = self.stages.get(at) {
            let case = &stage.case;
            self.trials.push(Trial {
                run: case.id.to_string(),
                undone: case.names(&case.others(&key)),
                kept: case.names(&key),
                outcome,
                shows,
            });
        }
        self.asked.insert((at, key), shows);
        (self.watch)(Progress::At {
            what: "proof".to_owned(),
            done: self.trials.len() as u64,
        });
        Ok(Some(shows))
    }

    /// Computes a run of the chain and everything after it.
    fn tried(&mut self, at: usize, set: &[usize], staged: &mut Vec<Staged>) -> Result<(bool, String), Error> {
        let mut instead: Option<(DatasetName, BTreeMap<SliceKey, SliceVersion>)> = None;
        for level in (0..=at).rev() {
            let kept = match self.stages.get(level) {
                Some(_) if level == at => set.to_vec(),
                Some(stage) => stage.kept.clone(),
                None => break,
            };
            let came = self.compute(level, &kept, instead.take(), staged)?;
            if level == 0 {
                return self.judge(came);
            }
            let Some((name, slices)) = self.stages.get(level).and_then(|s| s.feeds.clone()) else {
                break;
            };
            match came {
                Came::Finished(done) => {
                    let mut made: BTreeMap<SliceKey, SliceVersion> = done.slices.into_iter().collect();
                    let contents = slices.into_iter().map(|k| {
                        let content = made.remove(&k).unwrap_or_default();
                        (k, content)
                    });
                    instead = Some((name, contents.collect()));
                }
                Came::Failed(e) => {
                    return Ok((false, format!("it cannot be computed like this: {}", e.message)));
                }
            }
        }
        Ok((false, "it could not be tried".to_owned()))
    }

    fn compute(
        &mut self,
        level: usize,
        set: &[usize],
        instead: Option<(DatasetName, BTreeMap<SliceKey, SliceVersion>)>,
        staged: &mut Vec<Staged>,
    ) -> Result<Came, Error> {
        let Some(stage) = self.stages.get(level) else {
            return Err(Error::new(
                ErrorKind::Failed,
                "MS0428",
                "there is no such run to be replayed",
            ));
        };
        let case = &stage.case;
        let now = self.instance.clock.now().as_micros();
        let epoch = self.instance.epoch();
        let prefix = format!("proof-{}-{}-{now}-{level}-{epoch}", case.id, self.trials.len());
        let instance = self.instance;
        let place = Place {
            store: self.store.clone(),
            table: &|name| instance.table(name),
            prefix: prefix.clone(),
        };
        let with_checks = level == 0 && matches!(self.symptom, Symptom::Failure { .. });
        let instead = instead.as_ref().map(|(name, slices)| (name, slices));
        let assignment = case.assignment(set, &place, instead, with_checks);
        let (memory, threads) = case.engine(set);
        if let std::collections::btree_map::Entry::Vacant(free) = self.engines.entry((memory, threads)) {
            free.insert(instance.engine_like(threads, Some(Bytes(memory)).filter(|m| m.0 > 0))?);
        }
        staged.push(Staged {
            job: case.job.clone(),
            prefix,
        });
        let Some(engine) = self.engines.get(&(memory, threads)) else {
            return Err(Error::new(
                ErrorKind::Failed,
                "MS0428",
                "there is no engine to replay with",
            ));
        };
        match engine.run(assignment, self.cancel, &|_| {}) {
            Ok(done) => Ok(Came::Finished(done)),
            Err(e) if e.kind == Kind::Cancelled => Err(Error::new(
                ErrorKind::Interrupted,
                "MS0302",
                "the proof was stopped",
            )),
            Err(e) if matches!(e.kind, Kind::Store | Kind::Data) => Err(Error::new(
                ErrorKind::Unavailable,
                "MS0429",
                format!(
                    "{} cannot be replayed: what it read is not there any more",
                    case.id
                ),
            )
            .because(&e)
            .help("mainstay replay says what is missing; a proof needs both sides of every difference")),
            Err(e) => Ok(Came::Failed(e)),
        }
    }

    /// Says whether the run that was asked about shows what is to be explained, and what came of it.
    fn judge(&self, came: Came) -> Result<(bool, String), Error> {
        match (&self.symptom, came) {
            (Symptom::Failure { code, check }, Came::Failed(e)) => {
                let same = check.is_none() && e.code == code;
                Ok((same, format!("it fails: {}", e.message)))
            }
            (Symptom::Failure { check, .. }, Came::Finished(done)) => {
                let failed = done.failed_checks().find(|c| Some(&c.check) == check.as_ref());
                let other = done.failed_checks().next();
                Ok(match (failed, other) {
                    (Some(c), _) => (true, format!("check {} fails: {}", c.check, c.message)),
                    (None, Some(c)) => (false, format!("another check fails: {}: {}", c.check, c.message)),
                    (None, None) => (false, "it succeeds".to_owned()),
                })
            }
            (_, Came::Failed(e)) => Ok((false, format!("it cannot be computed like this: {}", e.message))),
            (Symptom::Content(expected), Came::Finished(done)) => {
                let none = SliceVersion::default();
                let made: BTreeMap<&SliceKey, &SliceVersion> =
                    done.slices.iter().map(|(k, v)| (k, v)).collect();
                let differing = expected.iter().filter(|(key, content)| {
                    let now = made.get(*key).copied().unwrap_or(&none);
                    now.digest() != content.digest() || now.rows() != content.rows()
                });
                let differing = differing.count();
                Ok(match differing {
                    0 => (true, "it comes out as it was published".to_owned()),
                    n => (
                        false,
                        format!(
                            "{} out otherwise",
                            match n {
                                1 if expected.len() == 1 => "it comes".to_owned(),
                                n => format!("{n} of {} slices come", expected.len()),
                            }
                        ),
                    ),
                })
            }
            (Symptom::Rows(condition), Came::Finished(done)) => {
                let count = self.count(condition, done.slices)?;
                Ok((
                    count > 0,
                    format!("{} like that", mainstay_base::text::count(count, "row")),
                ))
            }
        }
    }

    /// Counts the staged rows that meet a condition.
    fn count(&self, condition: &str, slices: Vec<(SliceKey, SliceVersion)>) -> Result<u64, Error> {
        let Some(stage) = self.stages.first() else {
            return Ok(0);
        };
        let spec = &stage.case.spec.new;
        let mounted = Mounted {
            name: stage.case.job.clone(),
            store: self.store.clone(),
            table: self.instance.table(&stage.case.job),
            schema: spec.compiled.columns.clone(),
            slice_columns: spec.slice.clone(),
            slices,
        };
        let sql = format!("SELECT count(*) AS n FROM {} WHERE ({condition})", stage.case.job);
        let batches = self.instance.ask(sql, vec![mounted], self.cancel)?;
        let column = batches
            .first()
            .and_then(|b| b.column(0).as_primitive_opt::<Int64Type>());
        let sum: i64 = column.into_iter().flat_map(|c| c.iter().flatten()).sum();
        Ok(sum.unsigned_abs())
    }
}
