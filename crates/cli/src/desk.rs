//! Where a command does its work: here, in the home, or there, at a server that has it open. Commands cannot tell which.
//!
//! Every method is one that [`Instance`] has; what a server answers has the same form.

mod remote;

use mainstay_api::{
    AmendReport, ApplyReport, BranchReport, CheckReport, DeliverReport, DependenciesReport, DiffReport,
    Error, HistoryReport, JournalReport, ListReport, PlanReport, Progress, ReplaysReport, ResumeReport,
    RunReport, RunsReport, SlicesReport, TokenReport, TokensReport, VacuumReport, WhyReport,
};
use mainstay_base::Timestamp;
use mainstay_model::{
    Address, AmendmentId, ApplyId, BranchName, DatasetName, DeliveryId, PlanId, Role, RunId, Selection,
    TokenId,
};
use mainstay_server::{
    Access, AmendRequest, CancelToken, DiffRequest, Instance, JournalFilter, QueryOptions, QueryResult,
    ReplayRequest, RunRequest, Unapplied, WhyRequest,
};
use serde::Serialize;
use serde_json::Value;

use crate::args::Global;
use crate::context;
use crate::output::Output;

pub(crate) use remote::Remote;

/// Who watches the work.
pub(crate) type Watch<'a> = &'a (dyn Fn(Progress) + Sync);

/// Where a command does its work.
#[derive(Debug)]
pub(crate) enum Desk {
    /// In the home, opened by this process.
    Here(Box<Instance>),
    /// At a server.
    There(Box<Remote>),
}

fn value<T: Serialize>(thing: &T) -> Result<Value, Error> {
    serde_json::to_value(thing).map_err(|e| {
        Error::new(
            mainstay_api::ErrorKind::Failed,
            "MS0901",
            "an answer cannot be written",
        )
        .because(&e)
    })
}

impl Desk {
    /// Finds the server that is meant or that has the home open; else opens the home.
    pub(crate) fn open(global: &Global, access: Access, output: &Output) -> Result<Self, Error> {
        match Remote::find(global)? {
            Some(remote) => Ok(Self::There(Box::new(remote))),
            None => context::open(global, access, output).map(|i| Self::Here(Box::new(i))),
        }
    }

    /// Ends cleanly.
    pub(crate) fn close(self) -> Result<(), Error> {
        match self {
            Self::Here(instance) => instance.close(),
            Self::There(_) => Ok(()),
        }
    }

    /// Stops a run at a server; none if the home is here.
    pub(crate) fn cancel_there(&self, run: RunId) -> Result<Option<RunReport>, Error> {
        match self {
            Self::Here(_) => Ok(None),
            Self::There(remote) => remote.cancel(run).map(Some),
        }
    }

    pub(crate) fn check(&self) -> Result<CheckReport, Error> {
        match self {
            Self::Here(i) => i.check(),
            Self::There(r) => r.check(),
        }
    }

    pub(crate) fn render(&self, color: bool) -> Result<String, Error> {
        match self {
            Self::Here(i) => i.compile().map(|c| c.render(color)),
            Self::There(r) => r.render(color),
        }
    }

    pub(crate) fn plan_unrecorded(&self) -> Result<PlanReport, Error> {
        match self {
            Self::Here(i) => i.plan_unrecorded(),
            Self::There(r) => r.plan_unrecorded(),
        }
    }

    pub(crate) fn plan(&self) -> Result<PlanReport, Error> {
        match self {
            Self::Here(i) => i.plan(),
            Self::There(r) => r.plan(),
        }
    }

    pub(crate) fn apply(&self, plan: Option<PlanId>, yes: bool) -> Result<ApplyReport, Error> {
        match self {
            Self::Here(i) => i.apply(plan, yes),
            Self::There(r) => r.apply(plan, yes),
        }
    }

    pub(crate) fn revert_apply(&self, apply: ApplyId, yes: bool) -> Result<ApplyReport, Error> {
        match self {
            Self::Here(i) => i.revert_apply(apply, yes),
            Self::There(r) => r.revert_apply(apply, yes),
        }
    }

    pub(crate) fn unapplied(&self) -> Result<Unapplied, Error> {
        match self {
            Self::Here(i) => i.unapplied(),
            Self::There(r) => r.unapplied(),
        }
    }

    pub(crate) fn deliver(
        &self,
        names: &[DatasetName],
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<DeliverReport, Error> {
        match self {
            Self::Here(i) => i.deliver(names, cancel, watch),
            Self::There(r) => r.deliver(names, cancel, watch),
        }
    }

    pub(crate) fn run(
        &self,
        request: &RunRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<(DeliverReport, RunsReport), Error> {
        match self {
            Self::Here(i) => i.run(request, cancel, watch),
            Self::There(r) => r.run(request, cancel, watch),
        }
    }

    pub(crate) fn runs(&self) -> Result<RunsReport, Error> {
        match self {
            Self::Here(i) => Ok(i.runs()),
            Self::There(r) => r.runs(),
        }
    }

    pub(crate) fn slices(&self, name: &DatasetName, selection: &Selection) -> Result<SlicesReport, Error> {
        match self {
            Self::Here(i) => i.slices(name, selection),
            Self::There(r) => r.slices(name, selection),
        }
    }

    pub(crate) fn dependencies(
        &self,
        name: &DatasetName,
        selection: &Selection,
    ) -> Result<DependenciesReport, Error> {
        match self {
            Self::Here(i) => i.dependencies(name, selection),
            Self::There(r) => r.dependencies(name, selection),
        }
    }

    pub(crate) fn query(
        &self,
        sql: &str,
        options: QueryOptions,
        cancel: &CancelToken,
    ) -> Result<QueryResult, Error> {
        match self {
            Self::Here(i) => i.query(sql, options, cancel),
            Self::There(r) => r.query(sql, options, cancel),
        }
    }

    pub(crate) fn list(&self, kind: &str) -> Result<ListReport, Error> {
        match self {
            Self::Here(i) => i.list(kind),
            Self::There(r) => r.list(kind),
        }
    }

    pub(crate) fn show(&self, address: &Address) -> Result<Value, Error> {
        match self {
            Self::Here(i) => i.show(address),
            Self::There(r) => r.show(address),
        }
    }

    pub(crate) fn history(&self, address: &Address) -> Result<HistoryReport, Error> {
        match self {
            Self::Here(i) => i.history(address),
            Self::There(r) => r.history(address),
        }
    }

    pub(crate) fn journal(&self, filter: &JournalFilter) -> Result<JournalReport, Error> {
        match self {
            Self::Here(i) => i.journal(filter),
            Self::There(r) => r.journal(filter),
        }
    }

    pub(crate) fn prove(&self, seq: u64) -> Result<Value, Error> {
        match self {
            Self::Here(i) => i.prove(seq).and_then(|p| value(&p)),
            Self::There(r) => r.prove(seq),
        }
    }

    pub(crate) fn amend(
        &self,
        request: &AmendRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        match self {
            Self::Here(i) => i.amend(request, cancel, watch),
            Self::There(r) => r.amend(request, cancel, watch),
        }
    }

    pub(crate) fn revert_amendment(
        &self,
        id: AmendmentId,
        dry_run: bool,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        match self {
            Self::Here(i) => i.revert_amendment(id, dry_run, cancel, watch),
            Self::There(r) => r.revert_amendment(id, dry_run, cancel, watch),
        }
    }

    pub(crate) fn answer_delivery(
        &self,
        id: DeliveryId,
        accepted: bool,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<DeliverReport, Error> {
        match self {
            Self::Here(i) => i.answer_delivery(id, accepted, cancel, watch),
            Self::There(r) => r.answer_delivery(id, accepted, cancel, watch),
        }
    }

    pub(crate) fn approve(
        &self,
        id: AmendmentId,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        match self {
            Self::Here(i) => i.approve(id, cancel, watch),
            Self::There(r) => r.approve(id, cancel, watch),
        }
    }

    pub(crate) fn retry_amendment(
        &self,
        id: AmendmentId,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        match self {
            Self::Here(i) => i.retry_amendment(id, cancel, watch),
            Self::There(r) => r.retry_amendment(id, cancel, watch),
        }
    }

    pub(crate) fn drop_amendment(&self, id: AmendmentId) -> Result<AmendReport, Error> {
        match self {
            Self::Here(i) => i.drop_amendment(id),
            Self::There(r) => r.drop_amendment(id),
        }
    }

    pub(crate) fn why(
        &self,
        request: &WhyRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<WhyReport, Error> {
        match self {
            Self::Here(i) => i.why(request, cancel, watch),
            Self::There(r) => r.why(request, cancel, watch),
        }
    }

    pub(crate) fn diff(&self, request: &DiffRequest, cancel: &CancelToken) -> Result<DiffReport, Error> {
        match self {
            Self::Here(i) => i.diff(request, cancel),
            Self::There(r) => r.diff(request, cancel),
        }
    }

    pub(crate) fn replay(
        &self,
        request: &ReplayRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<ReplaysReport, Error> {
        match self {
            Self::Here(i) => i.replay(request, cancel, watch),
            Self::There(r) => r.replay(request, cancel, watch),
        }
    }

    pub(crate) fn resume(&self) -> Result<ResumeReport, Error> {
        match self {
            Self::Here(i) => i.resume(),
            Self::There(r) => r.resume(),
        }
    }

    pub(crate) fn vacuum(&self, dry_run: bool) -> Result<VacuumReport, Error> {
        match self {
            Self::Here(i) => i.vacuum(dry_run),
            Self::There(r) => r.vacuum(dry_run),
        }
    }

    pub(crate) fn create_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        match self {
            Self::Here(i) => i.create_branch(name),
            Self::There(r) => r.create_branch(name),
        }
    }

    pub(crate) fn rebase_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        match self {
            Self::Here(i) => i.rebase_branch(name),
            Self::There(r) => r.rebase_branch(name),
        }
    }

    pub(crate) fn promote_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        match self {
            Self::Here(i) => i.promote_branch(name),
            Self::There(r) => r.promote_branch(name),
        }
    }

    pub(crate) fn drop_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        match self {
            Self::Here(i) => i.drop_branch(name),
            Self::There(r) => r.drop_branch(name),
        }
    }

    pub(crate) fn branch_report(&self, name: &BranchName) -> Result<BranchReport, Error> {
        match self {
            Self::Here(i) => i.branch_report(name),
            Self::There(r) => r.branch_report(name),
        }
    }

    pub(crate) fn tokens(&self) -> Result<TokensReport, Error> {
        match self {
            Self::Here(i) => Ok(TokensReport { tokens: i.tokens() }),
            Self::There(r) => r.tokens(),
        }
    }

    pub(crate) fn create_token(
        &self,
        name: &str,
        role: Role,
        expires: Option<Timestamp>,
    ) -> Result<TokenReport, Error> {
        match self {
            Self::Here(i) => mainstay_http::new_token(i, name, role, expires),
            Self::There(r) => r.create_token(name, role, expires),
        }
    }

    pub(crate) fn revoke_token(&self, id: TokenId) -> Result<TokenReport, Error> {
        match self {
            Self::Here(i) => i.revoke_token(id),
            Self::There(r) => r.revoke_token(id),
        }
    }
}
