//! What a home says of itself, compared with what is there: the journal's end, the clock, the stores, files, Delta logs, sources.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{Error, Finding};
use mainstay_base::text::count;
use mainstay_control::Sight;
use mainstay_ingest::Watch as Place;
use mainstay_model::DatasetName;
use mainstay_model::resource::{Kind, Spec};
use mainstay_storage::{ConditionalPut, Store};

use super::{failed, few, good, problem, warning};
use crate::error;
use crate::instance::Instance;

/// The clock may be behind the journal by so much, in microseconds: machines' clocks are never quite the same.
const SLIP: i64 = 1_000_000;

impl Instance {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![self.journal_end(), self.clock_and_journal()];
        findings.extend(self.standing.finding().or_else(|| self.leader_finding()));
        if let Some(rests) = self.resting() {
            findings.push(warning(
                "restored",
                rests,
                "mainstay resume, if it is to take the original's place",
            ));
        }
        let accounts: Vec<String> = self
            .ledger()
            .states()
            .map(|(account, _)| account.to_owned())
            .collect();
        for account in &accounts {
            match self.as_part_of(account, "mainstay", None) {
                Ok(side) => {
                    findings.extend(side.tables_and_files());
                    findings.extend(side.places());
                }
                Err(e) => findings.push(failed("account", e)),
            }
        }
        findings
    }

    /// The records after the last checkpoint, and what the checkpoint covers.
    fn journal_end(&self) -> Finding {
        let (head, signed) = {
            let ledger = self.ledger();
            let journal = ledger.journal();
            match journal.last_checkpoint() {
                Ok(last) => (journal.head(), last.map_or(0, |c| c.size)),
                Err(e) => return failed("journal", error::journal(&e)),
            }
        };
        // Where all is signed, the last record is looked at again.
        let since = Some((signed + 1).min(head.last_seq)).filter(|s| *s > 0);
        let journal = self.options.journal.as_ref();
        let end = match Self::verify(&self.options.home, journal, since, &|_| {}) {
            Ok(end) => end,
            Err(e) => return failed("journal", e),
        };
        if !end.ok {
            let message = end.message.unwrap_or_default();
            return problem(
                "journal",
                format!("the journal's end does not verify: {message}"),
                "stop writing to this home, and restore it from a backup: mainstay restore",
            );
        }
        let facts = count(head.last_seq, "fact");
        let unsigned = head.last_seq.saturating_sub(signed);
        if unsigned == 0 {
            return good("journal", format!("{facts}, all signed; its end verifies"));
        }
        let message = format!("{facts}, the last {unsigned} not signed yet; its end verifies");
        if self.writer_is_gone() {
            return warning(
                "journal",
                message,
                "the next command that writes signs them, for example mainstay deliver",
            );
        }
        good("journal", message)
    }

    /// Who writes the journal, where that may be another machine.
    fn leader_finding(&self) -> Option<Finding> {
        if self.writes() {
            return None;
        }
        match self.ledger().journal().leader() {
            Ok(Some(leader)) if leader.free => Some(good("leader", "nobody writes the journal right now")),
            Ok(Some(leader)) => {
                let here = self
                    .locked_by()
                    .filter(|pid| Some(pid.unsigned_abs()) != leader.pid);
                let here = here.map(|pid| format!(", process {pid} here stands by"));
                let text = format!("{} writes the journal{}", leader.name(), here.unwrap_or_default());
                Some(good("leader", text))
            }
            Ok(None) => None,
            Err(e) => Some(failed("leader", error::journal(&e))),
        }
    }

    fn clock_and_journal(&self) -> Finding {
        let last = {
            let ledger = self.ledger();
            let journal = ledger.journal();
            let head = journal.head();
            match head.last_seq {
                0 => return good("clock", "nothing is recorded that it could be behind"),
                seq => journal.record(seq).map(|r| r.time),
            }
        };
        match last {
            Ok(last) if last.micros_since(self.clock.now()) > SLIP => problem(
                "clock",
                format!("the clock is behind the journal: the last fact is of {last}"),
                "set the clock (NTP): triggers wait until it has caught up, and ages are wrong",
            ),
            Ok(_) => good("clock", "not behind the journal"),
            Err(e) => failed("clock", error::journal(&e)),
        }
    }

    fn tables_and_files(&self) -> Vec<Finding> {
        let store = match self.store() {
            Ok(store) => store,
            Err(e) => return vec![failed("store", e)],
        };
        let mut findings = match self.probe(&store) {
            Ok(found) => vec![found],
            // Where the store does not answer, nothing can be said of what is in it.
            Err(e) => return vec![failed("store", e)],
        };
        findings.push(self.files(&store).unwrap_or_else(|e| failed("files", e)));
        findings.push(self.logs(&store).unwrap_or_else(|e| failed("delta", e)));
        findings
    }

    fn probe(&self, store: &Store) -> Result<Finding, Error> {
        let unique = format!("doctor-{}-{}", std::process::id(), self.clock.now().as_micros());
        let put = self.runtime.block_on(store.probe_conditional_put(&unique));
        let (place, account) = (store.url(), self.account());
        Ok(match put.map_err(|e| error::storage(&e))? {
            ConditionalPut::Exclusive => good(
                "store",
                format!("{place} answers, and keeps writers apart (account {account})"),
            ),
            ConditionalPut::Unsafe | ConditionalPut::Missing => problem(
                "store",
                format!("{place} does not keep two writers apart (MS0631)"),
                "use a local folder or a store with conditional puts",
            ),
        })
    }

    /// The data files that anything refers to, and whether they are there with their sizes.
    fn files(&self, store: &Store) -> Result<Finding, Error> {
        let (mut wrong, mut seen) = (Vec::new(), 0);
        for (dataset, files) in self.with(|s| s.state.files()) {
            let table = self.table(&dataset);
            let listed = self.runtime.block_on(store.list(&format!("{table}/**")));
            let listed = listed.map_err(|e| error::storage(&e))?;
            let there: BTreeMap<&str, u64> = listed
                .iter()
                .filter_map(|f| Some((f.path.strip_prefix(&table)?.trim_start_matches('/'), f.bytes.0)))
                .collect();
            seen += files.len() as u64;
            wrong.extend(
                files
                    .iter()
                    .filter_map(|(path, bytes)| match there.get(path.as_str()) {
                        None => Some(format!("{dataset}: {path} is not there")),
                        Some(size) if *size != bytes.0 => {
                            Some(format!("{dataset}: {path} has {size} bytes, not {}", bytes.0))
                        }
                        Some(_) => None,
                    }),
            );
        }
        if wrong.is_empty() {
            return Ok(good(
                "files",
                format!("{} referred to, all there", count(seen, "data file")),
            ));
        }
        let lost = count(wrong.len() as u64, "data file");
        Ok(Finding {
            causes: few(wrong),
            ..problem(
                "files",
                format!(
                    "{lost} of {seen} missing or not as written (account {})",
                    self.account()
                ),
                "a backup has them: mainstay restore; what is computed is computed again: mainstay run DATASET --force",
            )
        })
    }

    /// The Delta logs, and whether they show what everybody reads here.
    fn logs(&self, store: &Store) -> Result<Finding, Error> {
        let datasets = self.with(|sight| {
            let each = sight.state.main.datasets.iter();
            each.map(|(name, d)| (name.clone(), d.version(), d.projected))
                .collect::<Vec<_>>()
        });
        let (mut behind, mut gone) = (Vec::new(), Vec::new());
        for (name, version, projected) in &datasets {
            let (shown, log) = projected.unwrap_or((0, 0));
            if shown < *version {
                behind.push(format!("{name}: shows version {shown} of {version}"));
            }
            let commit = format!("{}/_delta_log/{log:020}.json", self.table(name));
            let found = self.runtime.block_on(store.head(&commit));
            match found {
                Err(e) if e.kind == mainstay_storage::Kind::NotFound && projected.is_some() => {
                    gone.push(format!("{name}: {commit} is not there"));
                }
                Err(e) if e.kind != mainstay_storage::Kind::NotFound => return Err(error::storage(&e)),
                _ => {}
            }
        }
        if !gone.is_empty() {
            return Ok(Finding {
                causes: few(gone),
                ..problem(
                    "delta",
                    "Delta logs are gone, which other programs read",
                    "a backup and mainstay restore make them anew; reading with mainstay does not need them",
                )
            });
        }
        if behind.is_empty() {
            return Ok(good(
                "delta",
                format!("{} up to the journal", count(datasets.len() as u64, "Delta log")),
            ));
        }
        Ok(Finding {
            causes: few(behind),
            ..warning(
                "delta",
                "Delta logs are behind the journal",
                "the next command that writes brings them up to it, for example mainstay deliver",
            )
        })
    }

    /// The places of the sources.
    fn places(&self) -> Vec<Finding> {
        let sources: Vec<_> = self.with(declared_sources);
        let mut findings: Vec<Finding> = Vec::new();
        let mut well = BTreeSet::new();
        for (name, spec) in sources {
            let looked = self.within(&spec.files).and_then(|_| {
                let place = Place::open(&spec, &self.place_dir()).map_err(|e| error::place(&name, &e))?;
                let seen = self.runtime.block_on(place.observe(self.clock.as_ref()));
                seen.map_err(|e| error::place(&name, &e))
            });
            match looked {
                Ok(_) => drop(well.insert(name)),
                Err(e) => findings.push(failed("source", e)),
            }
        }
        if !well.is_empty() {
            let places = count(well.len() as u64, "source");
            findings.push(good("source", format!("{places} with a place that can be read")));
        }
        findings
    }
}

fn declared_sources(sight: &Sight<'_>) -> Vec<(DatasetName, mainstay_model::spec::SourceSpec)> {
    let declared = sight.declared().filter(|(key, ..)| key.kind == Kind::Source);
    let source = |(key, resource): (&mainstay_model::resource::ResourceKey, &mainstay_model::Resource)| {
        match &resource.spec {
            Spec::Source(spec) => Some((key.name.parse().ok()?, spec.clone())),
            _ => None,
        }
    };
    declared.filter_map(|(key, _, r)| source((key, r))).collect()
}
