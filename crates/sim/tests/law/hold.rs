//! Carries a case out and holds mainstay to the law: after every run, every dataset that was to be brought up to date is what a
//! full recomputation gives.
//!
//! Besides: what is recorded as a digest is the digest of the rows; a second run does nothing; what a check refuses is not
//! published, and what was there before stays; sources hold what was delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mainstay_api::RunReport;

use crate::amendment::Amendment;
use crate::case::{Case, Step, Wanted};
use crate::compare;
use crate::ledger::Ledger;
use crate::oracle::{Answer, Expected, Oracle, Rows};
use crate::subject::{Subject, words};
use crate::world::Project;

/// What was seen while cases were carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) cases: u64,
    pub(crate) steps: u64,
    pub(crate) runs: u64,
    pub(crate) too_large: u64,
    /// By code, the queries that were refused.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Slices that were computed, of jobs that are computed by slice and had been computed before.
    pub(crate) recomputed: u64,
    /// Those of them whose rows were then others.
    pub(crate) changed: u64,
    /// Slices that were taken as they are, because what changed of their inputs is not read.
    pub(crate) unread: u64,
    /// Slices that were computed a second time to check their dependencies.
    pub(crate) cross_checked: u64,
    pub(crate) compared: u64,
    pub(crate) in_mainstay: Duration,
    pub(crate) in_oracle: Duration,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.steps += other.steps;
        self.runs += other.runs;
        self.too_large += other.too_large;
        for (code, n) in &other.refused {
            *self.refused.entry(code.clone()).or_default() += n;
        }
        self.recomputed += other.recomputed;
        self.changed += other.changed;
        self.unread += other.unread;
        self.cross_checked += other.cross_checked;
        self.compared += other.compared;
        self.in_mainstay += other.in_mainstay;
        self.in_oracle += other.in_oracle;
    }
}

/// Where the law did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// The number of the step after which it was seen, from 0.
    pub(crate) step: usize,
    /// In which way: a case is made small only as long as it fails in the same way.
    pub(crate) way: String,
    pub(crate) what: String,
}

/// Why a case ended.
enum End {
    Broken {
        way: String,
        what: String,
    },
    /// It cannot go on, and nothing is wrong.
    Over,
}

impl End {
    fn broken(way: &str, what: impl Into<String>) -> Self {
        Self::Broken {
            way: way.to_owned(),
            what: what.into(),
        }
    }
}

impl From<mainstay_api::Error> for End {
    fn from(e: mainstay_api::Error) -> Self {
        let way = e.mistakes.first().map_or(&e.code, |m| &m.code);
        Self::broken(way, words(&e))
    }
}

struct Holding<'a> {
    subject: &'a mut dyn Subject,
    oracle: &'a mut Oracle,
    ledger: Ledger,
    project: Project,
    /// What the last answers of the oracle were, by dataset.
    before: BTreeMap<String, Rows>,
    /// The jobs that could not be brought up to date.
    held_back: BTreeSet<String>,
    /// What the corrections that hold were recorded as, by number.
    amendments: BTreeMap<usize, String>,
    seen: Seen,
}

/// Carries a case out.
pub(crate) fn hold(case: &Case, subject: &mut dyn Subject, oracle: &mut Oracle) -> (Seen, Option<Broken>) {
    oracle.forget();
    let mut holding = Holding {
        subject,
        oracle,
        ledger: Ledger::default(),
        project: Project {
            sources: Vec::new(),
            jobs: Vec::new(),
            remark: 0,
        },
        before: BTreeMap::new(),
        held_back: BTreeSet::new(),
        amendments: BTreeMap::new(),
        seen: Seen {
            cases: 1,
            ..Seen::default()
        },
    };
    for (at, step) in case.steps.iter().enumerate() {
        holding.seen.steps += 1;
        match holding.step(step) {
            Ok(()) => {}
            Err(End::Over) => break,
            Err(End::Broken { way, what }) => {
                let broken = Broken { step: at, way, what };
                return (holding.seen, Some(broken));
            }
        }
    }
    (holding.seen, None)
}

impl Holding<'_> {
    fn step(&mut self, step: &Step) -> Result<(), End> {
        match step {
            Step::Write {
                source,
                file,
                content,
            } => {
                let text = self.project.source(source).written(content);
                self.subject.place().write(file, &text);
                self.ledger.write(source, file, content);
            }
            Step::Remove { source, file } => {
                self.subject.place().remove(file);
                self.ledger.remove(source, file);
            }
            Step::Deliver => {
                self.timed(|s| s.deliver())?;
                self.delivered(&self.project.names());
            }
            Step::Apply(project) => self.apply(project)?,
            Step::RevertApply(project) => {
                if self.timed(|s| s.revert_apply())? {
                    self.subject.place().put(project);
                    self.project = project.clone();
                } else {
                    self.apply(project)?;
                }
            }
            Step::Amend(amendment) => self.amend(amendment)?,
            Step::RevertAmendment(number) => {
                if let Some(id) = self.amendments.remove(number) {
                    match self.timed(|s| s.revert_amendment(&id)) {
                        Ok(()) => self.ledger.revert(*number),
                        // A check refuses what it would lead to, so the correction holds on.
                        Err(e)
                            if e.code == "MS0501" && self.project.jobs.iter().any(|j| j.check.is_some()) =>
                        {
                            self.amendments.insert(*number, id);
                        }
                        Err(e) => return Err(e.into()),
                    }
                }
            }
            Step::Reopen { cleanly } => self.timed(|s| s.end(*cleanly))?,
            Step::Interrupted(at) => {
                self.delivered(&self.project.names());
                self.timed(|s| s.run_until(*at))?;
            }
            Step::Run(wanted) => self.run(wanted)?,
        }
        Ok(())
    }

    fn amend(&mut self, amendment: &Amendment) -> Result<(), End> {
        if let Some((name, text)) = amendment.file(&self.project) {
            self.subject.place().write(&name, &text);
        }
        let arguments = amendment.arguments(&self.project);
        match self.timed(|s| s.amend(&arguments)) {
            Ok(Some(id)) => {
                self.ledger.amend(amendment);
                self.amendments.insert(amendment.number, id);
                Ok(())
            }
            // It changes nothing, or a check refuses what it would lead to.
            Ok(None) => Ok(()),
            Err(e) if e.code == "MS0501" && self.project.jobs.iter().any(|j| j.check.is_some()) => Ok(()),
            Err(e) if e.code.starts_with("MS042") => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn timed<T>(&mut self, work: impl FnOnce(&mut dyn Subject) -> T) -> T {
        let began = Instant::now();
        let done = work(self.subject);
        self.seen.in_mainstay += began.elapsed();
        done
    }

    fn delivered(&mut self, names: &[String]) {
        for source in self.project.sources.iter().filter(|s| names.contains(&s.name)) {
            self.ledger.deliver(source);
        }
    }

    fn apply(&mut self, project: &Project) -> Result<(), End> {
        self.subject.place().put(project);
        let done = self.timed(|s| s.apply());
        if let Err(e) = &done
            && let Some(mistake) = e.mistakes.first()
        {
            *self.seen.refused.entry(mistake.code.clone()).or_default() += 1;
            if KNOWN_REFUSALS.contains(&mistake.code.as_str()) {
                return Err(End::Over);
            }
        }
        done?;
        self.project = project.clone();
        Ok(())
    }

    fn expected(&mut self) -> Result<Expected, End> {
        let began = Instant::now();
        let answer = self.oracle.compute(&self.project, &self.ledger);
        self.seen.in_oracle += began.elapsed();
        match answer {
            Answer::Is(expected) => Ok(expected),
            Answer::TooLarge => {
                self.seen.too_large += 1;
                Err(End::Over)
            }
            Answer::Refused(why) => Err(End::broken("oracle", format!("the oracle: {why}"))),
        }
    }

    fn run(&mut self, wanted: &Wanted) -> Result<(), End> {
        let all = self.project.names();
        let targets: Vec<String> = wanted.targets.iter().map(|(n, _)| n.clone()).collect();
        let names = if targets.is_empty() {
            all
        } else {
            self.project.closure(&targets)
        };
        self.delivered(&names);
        let expected = self.expected()?;
        let runs = match self.timed(|s| s.run(wanted)) {
            // The slice that is asked for is not there: what is compared below says whether that is so.
            Err(e) if e.code == "MS0401" && wanted.targets.iter().any(|(_, slice)| slice.is_some()) => {
                Vec::new()
            }
            done => done?,
        };
        self.seen.runs += runs.len() as u64;
        self.count(&runs, &expected);
        self.cross_checks(&runs)?;
        let failed = self.failures(&runs, wanted, &expected)?;
        for name in &names {
            self.compare(name, wanted, &expected, &failed)?;
        }
        self.before = expected.tables;
        if failed.is_empty() && wanted.targets.iter().all(|(_, slice)| slice.is_none()) {
            let again = Wanted {
                force: false,
                ..wanted.clone()
            };
            let runs = self.timed(|s| s.run(&again))?;
            if let Some(run) = runs.first() {
                let what = format!(
                    "a second run computes {} again: {} ({})",
                    run.job,
                    run.slices.join(", "),
                    run.because
                );
                return Err(End::broken("again", what));
            }
        }
        Ok(())
    }

    /// What is computed a second time must come out the same.
    fn cross_checks(&mut self, runs: &[RunReport]) -> Result<(), End> {
        for run in runs {
            self.seen.unread += run.unread;
            let Some(checked) = &run.cross_check else { continue };
            self.seen.cross_checked += checked.slices.len() as u64;
            if !checked.differing.is_empty() {
                let slices = checked.differing.join(", ");
                let what = format!(
                    "{} of {} came out otherwise from {}",
                    slices, run.job, checked.against
                );
                return Err(End::broken("cross-check", what));
            }
        }
        Ok(())
    }

    /// Counts what was computed, and what of it changed.
    fn count(&mut self, runs: &[RunReport], expected: &Expected) {
        for run in runs {
            let job = self.project.jobs.iter().find(|j| j.name == run.job);
            let (Some(job), Some(before), Some(now)) =
                (job, self.before.get(&run.job), expected.tables.get(&run.job))
            else {
                continue;
            };
            let [slice] = &job.slice[..] else { continue };
            let Some(at) = job.columns.iter().position(|c| c.name == *slice) else {
                continue;
            };
            if run.slices.iter().any(|s| s == "all") || run.outcome != "succeeded" {
                continue;
            }
            let by_slice = |rows: &Rows| {
                let mut slices: BTreeMap<Option<String>, Rows> = BTreeMap::new();
                for row in rows {
                    slices
                        .entry(row.get(at).cloned().flatten())
                        .or_default()
                        .push(row.clone());
                }
                slices
            };
            let (before, now) = (by_slice(before), by_slice(now));
            let keys: BTreeSet<_> = before.keys().chain(now.keys()).collect();
            self.seen.recomputed += run.slices.len() as u64;
            self.seen.changed += keys.iter().filter(|k| before.get(**k) != now.get(**k)).count() as u64;
        }
    }

    /// Returns the datasets that were not brought up to date; each must have a check that its rows fail, or read one that has.
    fn failures(
        &mut self,
        runs: &[RunReport],
        wanted: &Wanted,
        expected: &Expected,
    ) -> Result<BTreeSet<String>, End> {
        let mut failed = BTreeSet::new();
        for run in runs.iter().filter(|r| r.outcome != "succeeded") {
            let error = run
                .error
                .as_ref()
                .map(|e| format!("{} {}", e.code, e.message))
                .unwrap_or_default();
            let job = self.project.jobs.iter().find(|j| j.name == run.job);
            let allowed = match run.outcome.as_str() {
                "failed" => expected.violated.contains(&run.job) && error.starts_with("MS0501"),
                "skipped" => job.is_some_and(|j| j.reads.iter().any(|r| failed.contains(r))),
                _ => false,
            };
            if !allowed {
                let way = error.split(' ').next().unwrap_or_default();
                return Err(End::broken(
                    way,
                    format!("the run of {} {}: {error}", run.job, run.outcome),
                ));
            }
            failed.insert(run.job.clone());
        }
        for run in runs.iter().filter(|r| r.outcome == "succeeded") {
            // Of one slice that was asked for, the check saw less than the whole dataset will hold.
            let in_part = wanted
                .targets
                .iter()
                .any(|(n, slice)| *n == run.job && slice.is_some());
            if expected.violated.contains(&run.job) && !in_part {
                let what = format!("{} was published although its check finds rows", run.job);
                return Err(End::broken("check", what));
            }
        }
        // What reads one that failed and was not even asked for is held back all the same.
        for job in &self.project.jobs {
            if job.reads.iter().any(|r| failed.contains(r)) {
                failed.insert(job.name.clone());
            }
        }
        self.held_back.clone_from(&failed);
        Ok(failed)
    }

    fn compare(
        &mut self,
        name: &str,
        wanted: &Wanted,
        expected: &Expected,
        failed: &BTreeSet<String>,
    ) -> Result<(), End> {
        let began = Instant::now();
        let (mut is, digests) = self.subject.rows(name)?;
        self.seen.in_mainstay += began.elapsed();
        self.seen.compared += 1;
        if let Some(digests) = digests
            && digests.recorded != digests.own
        {
            let what = format!("{name}: its slices' digests are not those of its rows");
            return Err(End::broken("digest", what));
        }
        if failed.contains(name) {
            return Ok(());
        }
        let mut should = expected.tables.get(name).cloned().unwrap_or_default();
        let target = wanted.targets.iter().find(|(n, _)| n == name);
        if let Some((_, Some(value))) = target
            && let Some(job) = self.project.jobs.iter().find(|j| j.name == name)
            && let Some(at) = job
                .columns
                .iter()
                .position(|c| Some(&c.name) == job.slice.first())
        {
            let of_slice =
                |row: &Vec<Option<String>>| row.get(at).is_some_and(|v| v.as_deref() == Some(value));
            is.retain(of_slice);
            should.retain(of_slice);
        }
        match compare::difference(&is, &should) {
            None => Ok(()),
            Some(how) => {
                let what = format!("{name} is not what a full recomputation gives: {how}");
                Err(End::broken("rows", what))
            }
        }
    }
}

/// Codes of queries that are refused for a reason that stands on the code's page.
const KNOWN_REFUSALS: &[&str] = &[];
