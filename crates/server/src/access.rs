//! Tokens, decisions and answers: what the service keeps about who asked for what.
//!
//! A secret is seen here once, as its hash. Whether somebody may do something is decided elsewhere; here it is recorded.

use mainstay_api::{ApplyReport, Error};
use mainstay_base::{Hash, Timestamp};
use mainstay_control::Command;
use mainstay_model::access::{AccessDecided, RequestAnswered, Role, TokenId};
use mainstay_model::fact::Fact;
use mainstay_model::upcast;
use serde_json::Value;

pub use mainstay_api::TokenReport;

use crate::error;
use crate::instance::Instance;
use crate::ledger::Recorded;

/// The bearer of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The account that the token is of.
    pub account: String,
    /// The token.
    pub token: TokenId,
    /// As whom its bearer acts.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
}

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// As whom its bearer acts.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// From when on it is worth nothing; none is never.
    pub expires: Option<Timestamp>,
    /// The hash of its secret.
    pub secret: Hash,
}

/// What is known of an earlier request under the same key.
#[derive(Clone, Debug, PartialEq)]
pub enum Earlier {
    /// There was none.
    None,
    /// It asked for something else.
    Other,
    /// It was answered.
    Answered(u16, Value),
    /// It was recorded so far and never answered: a crash. What it did decides its answer.
    Done(Value),
    /// It was allowed, and nothing that decides its answer was recorded before a crash: it is to be done again.
    Again,
}

impl Instance {
    /// Finds the bearer of a secret by its hash; none if no token has it, or one that expired or was taken back.
    pub fn bearer(&self, secret: &Hash) -> Option<Who> {
        let now = self.clock.now();
        let ledger = self.ledger();
        ledger.states().find_map(|(account, state)| {
            let mut tokens = state.access.tokens.iter();
            let (id, token) = tokens.find(|(_, t)| t.secret == *secret && t.holds(now))?;
            Some(Who {
                account: account.to_owned(),
                token: *id,
                name: token.name.clone(),
                role: token.role,
            })
        })
    }

    /// Makes a token.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name or an expiry that makes no sense.
    pub fn create_token(&self, new: NewToken) -> Result<TokenReport, Error> {
        let recorded = self.submit(Command::CreateToken {
            name: new.name,
            role: new.role,
            expires: new.expires,
            secret: new.secret,
        })?;
        let id = recorded.iter().find_map(|(_, f)| match f {
            Fact::TokenCreated(t) => Some(t.token),
            _ => None,
        });
        self.token(id.unwrap_or(TokenId(0)))
    }

    /// Takes a token back; one that was taken back stays so.
    ///
    /// # Errors
    ///
    /// `NotFound` if the account has no such token.
    pub fn revoke_token(&self, token: TokenId) -> Result<TokenReport, Error> {
        self.submit(Command::RevokeToken { token })?;
        self.token(token)
    }

    fn token(&self, id: TokenId) -> Result<TokenReport, Error> {
        let found = self.tokens().into_iter().find(|t| t.token == id.to_string());
        found.ok_or_else(|| {
            let message = format!("there is no token {id}");
            Error::new(mainstay_api::ErrorKind::NotFound, "MS0401", message).help("mainstay token list")
        })
    }

    /// Lists the account's tokens, those that are worth nothing any more too.
    pub fn tokens(&self) -> Vec<TokenReport> {
        let now = self.clock.now();
        self.with(|sight| {
            let each = sight.state.access.tokens.iter();
            each.map(|(id, t)| TokenReport {
                token: id.to_string(),
                name: t.name.clone(),
                role: t.role.to_string(),
                created: t.created,
                who: t.actor.clone(),
                expires: t.expires,
                revoked: t.revoked,
                active: t.holds(now),
                secret: None,
            })
            .collect()
        })
    }

    /// Records whether somebody may do something.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub fn record_access(&self, decided: AccessDecided) -> Result<(), Error> {
        self.submit(Command::RecordAccess { decided }).map(drop)
    }

    /// Records what a request was answered.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub fn record_answer(&self, answered: RequestAnswered) -> Result<(), Error> {
        self.submit(Command::RecordAnswer { answered }).map(drop)
    }

    /// Says what is known of an earlier request under the same key.
    ///
    /// # Errors
    ///
    /// If the journal cannot be read.
    pub fn earlier(&self, key: &str, operation: &str, asked: &Hash) -> Result<Earlier, Error> {
        let Some(known) = self.with(|s| s.state.access.requests.get(key).cloned()) else {
            return Ok(Earlier::None);
        };
        if known.operation != operation || known.asked.as_ref() != Some(asked) {
            return Ok(Earlier::Other);
        }
        if let Some(seq) = known.answer {
            let record = self
                .ledger()
                .journal()
                .record(seq)
                .map_err(|e| error::journal(&e))?;
            let body = record.body.unwrap_or_default();
            let answered: RequestAnswered =
                serde_json::from_slice(&body).map_err(|e| error::defect("read an answer", &e))?;
            return Ok(Earlier::Answered(answered.status, answered.answer));
        }
        let recorded = self.recorded_for(key, known.first)?;
        Ok(self.answer_of(&recorded)?.map_or(Earlier::Again, Earlier::Done))
    }

    /// Returns the facts that a request led to.
    fn recorded_for(&self, key: &str, from: u64) -> Result<Recorded, Error> {
        let filter = mainstay_journal::Filter {
            account: Some(self.account().to_owned()),
            ..mainstay_journal::Filter::default()
        };
        let mut recorded = Recorded::new();
        let ledger = self.ledger();
        for record in ledger.journal().records(from, filter) {
            let record = record.map_err(|e| error::journal(&e))?;
            let own = record.request.as_deref() == Some(key);
            if let Some(body) = record.body.filter(|_| own)
                && let Ok(fact) = upcast::decode(&record.kind, record.kind_version, &body)
            {
                recorded.push((record.seq, fact));
            }
        }
        Ok(recorded)
    }

    /// Makes the answer of a request from what it recorded; none if what it recorded leaves it open. Deliveries and runs leave it
    /// open: done again, they do what is missing.
    fn answer_of(&self, recorded: &Recorded) -> Result<Option<Value>, Error> {
        let value = |v: Result<Value, serde_json::Error>| v.map_err(|e| error::defect("write an answer", &e));
        for (_, fact) in recorded {
            let found = match fact {
                Fact::Applied(a) if a.promotes.is_none() => {
                    let report: ApplyReport = self.apply_report(recorded);
                    value(serde_json::to_value(report))
                }
                Fact::Planned(p) => {
                    let mut report = self.plan_unrecorded()?;
                    report.plan = Some(p.plan.to_string());
                    report.changes = p.changes.iter().map(crate::plan::change_report).collect();
                    value(serde_json::to_value(report))
                }
                Fact::AmendmentProposed(a) => value(serde_json::to_value(self.amendment(a.amendment)?)),
                Fact::AmendmentApproved(a) => value(serde_json::to_value(self.amendment(a.amendment)?)),
                Fact::AmendmentDropped(a) => value(serde_json::to_value(self.amendment(a.amendment)?)),
                Fact::BranchCreated(b) => value(serde_json::to_value(self.branch_report(&b.branch)?)),
                Fact::BranchRebased(b) => value(serde_json::to_value(self.branch_report(&b.branch)?)),
                Fact::BranchPromoted(b) => value(serde_json::to_value(self.branch_report(&b.branch)?)),
                Fact::BranchDropped(b) => value(serde_json::to_value(self.branch_report(&b.branch)?)),
                Fact::TokenCreated(t) => value(serde_json::to_value(self.token(t.token)?)),
                Fact::TokenRevoked(t) => value(serde_json::to_value(self.token(t.token)?)),
                _ => continue,
            };
            return found.map(Some);
        }
        Ok(None)
    }
}
