//! The journal as people read it: what happened, its verification, proofs.

use std::path::Path;
use std::time::Instant;

use mainstay_api::{Error, ErrorKind, FactReport, JournalReport, Progress, ProofCheckReport, VerifyReport};
use mainstay_base::Timestamp;
use mainstay_journal::{Filter, Journal, OpenOptions, Proof, Record, SigningKey, VerifierKey, VerifyOptions};

use crate::error;
use crate::instance::{Instance, JournalAddress, Watch};
use crate::ledger::KEY;
use crate::place::Place;

/// The kind of facts that make rows visible.
const PUBLISHED: &str = "dataset.published";

/// Which facts.
#[derive(Clone, Debug, Default)]
pub struct JournalFilter {
    /// About this, for example `air.flights` or `run/R-3`.
    pub on: Option<String>,
    /// By this person or service.
    pub who: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// After this number.
    pub after: u64,
    /// At most so many, the newest.
    pub limit: Option<usize>,
    /// The oldest of them instead.
    pub oldest: bool,
    /// That belong to a request, by its key.
    pub request: Option<String>,
}

pub(crate) fn fact_report(record: &Record) -> FactReport {
    let body = record
        .body
        .as_deref()
        .and_then(|b| serde_json::from_slice(b).ok())
        .unwrap_or_default();
    FactReport {
        seq: record.seq,
        time: record.time,
        account: record.account.clone(),
        who: record.actor.clone(),
        kind: record.kind.clone(),
        version: record.kind_version,
        subject: record.subject.clone(),
        reason: record.reason.clone(),
        request: record.request.clone(),
        cause: record.cause,
        body,
    }
}

impl Instance {
    /// Returns what happened, the oldest first.
    ///
    /// # Errors
    ///
    /// If the journal cannot be read.
    pub fn journal(&self, filter: &JournalFilter) -> Result<JournalReport, Error> {
        let ledger = self.ledger();
        let wanted = Filter {
            kind: filter.kind.clone(),
            subject: filter.on.clone(),
            actor: filter.who.clone(),
            since: filter.since,
            account: Some(self.account().to_owned()),
        };
        let mut facts = std::collections::VecDeque::new();
        // What a run published is about its dataset, and stands right before its end.
        let run = filter.on.as_deref().and_then(|on| on.strip_prefix("run/"));
        let publish = |seq: u64| {
            let of_run = Filter {
                kind: Some(PUBLISHED.to_owned()),
                actor: filter.who.clone(),
                since: filter.since,
                account: Some(self.account().to_owned()),
                ..Filter::default()
            };
            let before = ledger
                .journal()
                .records(seq.saturating_sub(1).max(1), of_run)
                .next()?;
            let report = before.ok().map(|r| fact_report(&r))?;
            (report.seq + 1 == seq && report.body.get("run").and_then(|r| r.as_str()) == run)
                .then_some(report)
        };
        let wants_publish = filter.kind.as_deref().is_none_or(|k| k == PUBLISHED);
        let wanted = match run.filter(|_| filter.kind.as_deref() == Some(PUBLISHED)) {
            Some(_) => Filter {
                kind: Some("run.finished".to_owned()),
                ..wanted
            },
            None => wanted,
        };
        for record in ledger.journal().records(filter.after + 1, wanted) {
            let fact = fact_report(&record.map_err(|e| error::journal(&e))?);
            let published =
                (run.is_some() && wants_publish && fact.kind == "run.finished").then(|| publish(fact.seq));
            facts.extend(published.flatten());
            let asked = filter
                .request
                .as_ref()
                .is_none_or(|r| fact.request.as_ref() == Some(r));
            if asked && filter.kind.as_deref().is_none_or(|k| k == fact.kind) {
                facts.push_back(fact);
            }
            if filter.oldest && filter.limit.is_some_and(|limit| facts.len() >= limit) {
                break;
            }
            while filter.limit.is_some_and(|limit| facts.len() > limit) {
                facts.pop_front();
            }
        }
        Ok(JournalReport { facts: facts.into() })
    }

    /// Verifies the journal of this home, beside whoever writes.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`].
    pub fn verify_own(&self, since: Option<u64>) -> Result<VerifyReport, Error> {
        let journal = self.options.journal.as_ref();
        Self::verify(&self.options.home, journal, since, &|_| {})
    }

    /// Verifies the journal in a home: every hash, every link, every signature. It needs nothing to be open or sound.
    ///
    /// # Errors
    ///
    /// If there is no journal or it cannot be read at all; damage is part of the answer.
    pub fn verify(
        home: &Path,
        journal: Option<&JournalAddress>,
        since: Option<u64>,
        watch: Watch<'_>,
    ) -> Result<VerifyReport, Error> {
        let began = Instant::now();
        let key = home.join(KEY);
        let key = if key.exists() {
            Some(SigningKey::load(&key).map_err(|e| error::journal(&e))?.verifier())
        } else {
            None
        };
        let options = VerifyOptions {
            since,
            key,
            ..VerifyOptions::default()
        };
        watch(Progress::Began {
            what: "journal".to_owned(),
            unit: "facts",
            total: None,
        });
        let place = Place::of(home, journal)?;
        // One that cannot even be opened is told what is wrong with it below.
        let opened = Journal::open_boxed(place.store(), OpenOptions::read());
        if let (Some(since), Ok(journal)) = (since, opened) {
            let newest = journal.head().last_seq;
            if since > newest {
                let message = format!("there is no fact {since} to begin at: the newest is {newest}");
                return Err(Error::new(ErrorKind::NotFound, "MS0603", message));
            }
        }
        let found = mainstay_journal::verify_boxed(place.store(), &options, &mut |done, _| {
            watch(Progress::At {
                what: "journal".to_owned(),
                done,
            });
        })
        .map_err(|e| error::journal(&e))?;
        watch(Progress::Ended {
            what: "journal".to_owned(),
            ok: found.ok,
            message: String::new(),
        });
        Ok(VerifyReport {
            facts: found.facts,
            frames: found.frames,
            checkpoints: found.checkpoints,
            ok: found.ok,
            first_bad: found.first_bad,
            message: (!found.what.is_empty()).then_some(found.what),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// Makes a proof that a fact is in the journal.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such fact, or no checkpoint covers it yet.
    pub fn prove(&self, seq: u64) -> Result<Proof, Error> {
        let ledger = self.ledger();
        let record = ledger.journal().record(seq).map_err(|e| error::journal(&e))?;
        if record.account != self.account() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "MS0401",
                format!("account `{}` has no fact {seq}", self.account()),
            ));
        }
        ledger.journal().prove(seq).map_err(|e| error::journal(&e))
    }

    /// Checks a proof with nothing but the proof and a public key.
    ///
    /// # Errors
    ///
    /// `Invalid` if the file is no proof; a proof that does not hold is part of the answer.
    pub fn check_proof(proof: &[u8], key: &str) -> Result<ProofCheckReport, Error> {
        let proof: Proof = serde_json::from_slice(proof).map_err(|e| {
            Error::new(ErrorKind::Invalid, "MS0610", "this file is not a proof of a fact").because(&e)
        })?;
        Ok(match mainstay_journal::check_proof(&proof, key.trim()) {
            // It is the key that makes no sense, and nothing is said of the proof.
            Err(e) if key.trim().parse::<VerifierKey>().is_err() => return Err(error::journal(&e)),
            Ok(proven) => ProofCheckReport {
                ok: true,
                origin: Some(proven.checkpoint.origin.clone()),
                size: Some(proven.checkpoint.size),
                fact: Some(fact_report(&proven.record)),
                message: None,
            },
            Err(e) => ProofCheckReport {
                ok: false,
                origin: None,
                size: None,
                fact: None,
                message: Some(e.to_string()),
            },
        })
    }
}
