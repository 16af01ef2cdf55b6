//! The same methods, asked of a server.

use std::path::Path;

use mainstay_api::{
    AmendReport, ApplyReport, BranchReport, CheckReport, DeliverReport, DependenciesReport, DiffReport,
    DoctorReport, Error, ErrorKind, FactReport, HistoryReport, JournalReport, ListReport, PlanReport,
    ReplaysReport, ResumeReport, RunReport, RunsReport, SliceReport, SlicesReport, TokenReport, TokensReport,
    VacuumReport, VerifyReport, WhyReport,
};
use mainstay_base::Timestamp;
use mainstay_http::client::{Ask, Client};
use mainstay_model::{
    Address, AmendmentId, ApplyId, BranchName, DatasetName, DeliveryId, PlanId, Role, RunId, Selection,
    TokenId,
};
use mainstay_server::{
    AmendChange, AmendRequest, CancelToken, DiffRequest, JournalFilter, QueryOptions, QueryResult,
    ReplayRequest, RunRequest, Unapplied, WhyRequest, project_files,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Watch;
use crate::args::Global;
use crate::context;

/// How many things are asked for at a time.
const PAGE: &str = "1000";

/// A server, and what is said with every request.
#[derive(Debug)]
pub(crate) struct Remote {
    client: Client,
    branch: Option<String>,
    reason: Option<String>,
    /// The project here, whose files go with what is about a project.
    project: Option<std::path::PathBuf>,
}

#[derive(Deserialize)]
struct Checked {
    report: CheckReport,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Difference {
    changes: u64,
    mistakes: u64,
}

#[derive(Deserialize)]
struct Ran {
    delivered: DeliverReport,
    runs: Vec<RunReport>,
}

#[derive(Deserialize)]
struct RunsPage {
    runs: Vec<RunReport>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct ThingsPage {
    kind: String,
    items: Vec<Value>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct SlicesPage {
    dataset: String,
    slices: Vec<SliceReport>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct FactsPage {
    facts: Vec<FactReport>,
    next: Option<String>,
}

impl Remote {
    /// Finds the server that is meant, or that has the home open.
    pub(crate) fn find(global: &Global) -> Result<Option<Self>, Error> {
        let variable = |name| std::env::var(name).ok().filter(|v: &String| !v.is_empty());
        let token = variable("MAINSTAY_TOKEN");
        let account = global.account.clone();
        let project = context::project(global)?;
        let client = match &global.server {
            Some(url) => {
                let authority = variable("MAINSTAY_CA");
                Some(Client::at(
                    url,
                    account,
                    token,
                    authority.as_deref().map(Path::new),
                )?)
            }
            None => {
                let home = context::home(global, project.as_deref())?;
                Client::of_home(&home, account, token)?
            }
        };
        Ok(client.map(|client| Self {
            client,
            branch: global.branch.clone(),
            reason: global.reason.clone(),
            project,
        }))
    }

    fn look<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Error> {
        self.client.look(&ask.with("branch", self.branch.as_ref()))
    }

    fn change<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Error> {
        self.work(ask, &CancelToken::new(), &|_| {})
    }

    fn work<T: DeserializeOwned>(
        &self,
        ask: Ask,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<T, Error> {
        let ask = ask
            .with("branch", self.branch.as_ref())
            .with("reason", self.reason.as_ref());
        self.client.work(&ask, cancel, watch)
    }

    /// What is done to branches and tokens is not done in a branch.
    fn change_whole<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Error> {
        let ask = ask.with("reason", self.reason.as_ref());
        self.client.work(&ask, &CancelToken::new(), &|_| {})
    }

    fn files(&self) -> Result<Value, Error> {
        let Some(project) = &self.project else {
            return Ok(Value::Null);
        };
        let files = project_files(project)?.into_iter();
        Ok(files.map(|f| json!({ "path": f.path, "text": f.text })).collect())
    }

    fn checked(&self, color: Option<bool>) -> Result<Checked, Error> {
        self.look(Ask::post(
            &["checks"],
            json!({ "files": self.files()?, "color": color }),
        ))
    }

    pub(super) fn check(&self) -> Result<CheckReport, Error> {
        self.checked(None).map(|c| c.report)
    }

    pub(super) fn render(&self, color: bool) -> Result<String, Error> {
        self.checked(Some(color)).map(|c| c.text.unwrap_or_default())
    }

    pub(super) fn plan_unrecorded(&self) -> Result<PlanReport, Error> {
        self.look(Ask::post(
            &["plans", "preview"],
            json!({ "files": self.files()? }),
        ))
    }

    pub(super) fn plan(&self) -> Result<PlanReport, Error> {
        self.change(Ask::post(&["plans"], json!({ "files": self.files()? })))
    }

    pub(super) fn apply(&self, plan: Option<PlanId>, yes: bool) -> Result<ApplyReport, Error> {
        let plan = plan.map(|p| format!("plan/{p}"));
        let files = if plan.is_some() {
            Value::Null
        } else {
            self.files()?
        };
        self.change(Ask::post(
            &["applies"],
            json!({ "plan": plan, "files": files, "yes": yes }),
        ))
    }

    pub(super) fn revert_apply(&self, apply: ApplyId, yes: bool) -> Result<ApplyReport, Error> {
        let number = apply.to_string();
        self.change(Ask::post(&["applies", &number, "revert"], json!({ "yes": yes })))
    }

    pub(super) fn unapplied(&self) -> Result<Unapplied, Error> {
        let found: Difference = self.look(Ask::post(
            &["plans", "difference"],
            json!({ "files": self.files()? }),
        ))?;
        Ok(Unapplied {
            changes: found.changes,
            mistakes: found.mistakes,
        })
    }

    pub(super) fn deliver(
        &self,
        names: &[DatasetName],
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<DeliverReport, Error> {
        let sources: Vec<String> = names.iter().map(ToString::to_string).collect();
        let ask = Ask::post(&["deliveries"], json!({ "sources": sources }));
        self.work(ask, cancel, watch)
    }

    pub(super) fn answer_delivery(
        &self,
        id: DeliveryId,
        accepted: bool,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<DeliverReport, Error> {
        let id = id.to_string();
        let ask = if accepted {
            Ask::act(&["deliveries", &id, "approve"])
        } else {
            Ask::delete(&["deliveries", &id])
        };
        self.work(ask, cancel, watch)
    }

    pub(super) fn run(
        &self,
        request: &RunRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<(DeliverReport, RunsReport), Error> {
        let targets: Vec<String> = request.targets.iter().map(|(n, s)| dataset(n, s)).collect();
        let body = json!({ "targets": targets, "force": request.force, "without_deliveries": request.without_deliveries, "class": request.class });
        let ran: Ran = self.work(Ask::post(&["runs"], body), cancel, watch)?;
        Ok((ran.delivered, RunsReport { runs: ran.runs }))
    }

    pub(super) fn runs(&self) -> Result<RunsReport, Error> {
        let (mut pages, mut cursor) = (Vec::new(), None);
        loop {
            let ask = Ask::get(&["runs"])
                .with("limit", Some(PAGE))
                .with("cursor", cursor);
            let page: RunsPage = self.look(ask)?;
            pages.push(page.runs);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let runs = pages.into_iter().rev().flatten().collect();
        Ok(RunsReport { runs })
    }

    pub(super) fn cancel(&self, run: RunId) -> Result<RunReport, Error> {
        let ask = Ask::act(&["runs", &run.to_string(), "cancel"]);
        self.client.look(&ask.with("reason", self.reason.as_ref()))
    }

    pub(super) fn slices(&self, name: &DatasetName, selection: &Selection) -> Result<SlicesReport, Error> {
        let (mut slices, mut cursor) = (Vec::new(), None);
        loop {
            let ask = Ask::get(&["datasets", &dataset(name, selection), "slices"]);
            let page: SlicesPage = self.look(ask.with("limit", Some(PAGE)).with("cursor", cursor))?;
            slices.extend(page.slices);
            cursor = page.next;
            if cursor.is_none() {
                let dataset = page.dataset;
                return Ok(SlicesReport { dataset, slices });
            }
        }
    }

    pub(super) fn dependencies(
        &self,
        name: &DatasetName,
        selection: &Selection,
    ) -> Result<DependenciesReport, Error> {
        self.look(Ask::get(&["datasets", &dataset(name, selection), "dependencies"]))
    }

    pub(super) fn query(
        &self,
        sql: &str,
        options: QueryOptions,
        _: &CancelToken,
    ) -> Result<QueryResult, Error> {
        use mainstay_server::When;
        let (as_of, version) = match options.when {
            When::Now => (None, None),
            When::Time(time) => (Some(time), None),
            When::Version(version) => (None, Some(version)),
        };
        let body = json!({ "sql": sql, "as_of": as_of, "version": version, "format": "parquet", "color": options.color });
        let ask = Ask::post(&["queries"], body).with("branch", self.branch.as_ref());
        QueryResult::read_parquet(self.client.bytes(&ask.accept("*/*"))?)
    }

    pub(super) fn list(&self, kind: &str) -> Result<ListReport, Error> {
        let (mut items, mut cursor) = (Vec::new(), None);
        loop {
            let ask = Ask::get(&["things"]).with("kind", Some(kind));
            let page: ThingsPage = self.look(ask.with("limit", Some(PAGE)).with("cursor", cursor))?;
            items.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                let kind = page.kind;
                return Ok(ListReport { kind, items });
            }
        }
    }

    pub(super) fn show(&self, address: &Address) -> Result<Value, Error> {
        self.look(Ask::get(&["things", &address.to_string()]))
    }

    pub(super) fn history(&self, address: &Address) -> Result<HistoryReport, Error> {
        self.look(Ask::get(&["things", &address.to_string(), "history"]))
    }

    pub(super) fn journal(&self, filter: &JournalFilter) -> Result<JournalReport, Error> {
        let newest = filter
            .limit
            .filter(|l| *l <= 1000 && filter.after == 0 && !filter.oldest);
        let mut cursor = (filter.after > 0).then(|| format!("c{}", filter.after));
        let mut facts: Vec<FactReport> = Vec::new();
        loop {
            let ask = Ask::get(&["journal"])
                .with("on", filter.on.as_ref())
                .with("who", filter.who.as_ref())
                .with("kind", filter.kind.as_ref())
                .with("since", filter.since.map(|t| t.to_string()))
                .with("request", filter.request.as_ref())
                .with("newest", newest.map(|_| "true"))
                .with(
                    "limit",
                    Some(newest.map_or(PAGE.to_owned(), |n| n.max(1).to_string())),
                )
                .with("cursor", cursor);
            let page: FactsPage = self.client.look(&ask)?;
            facts.extend(page.facts);
            cursor = page.next.filter(|_| newest.is_none());
            if cursor.is_none() {
                break;
            }
        }
        let skip = filter.limit.map_or(0, |l| facts.len().saturating_sub(l));
        facts.drain(..skip);
        Ok(JournalReport { facts })
    }

    pub(super) fn prove(&self, seq: u64) -> Result<Value, Error> {
        self.client
            .look(&Ask::get(&["journal", &seq.to_string(), "proof"]))
    }

    /// Verifies the journal at the server.
    pub(crate) fn verify(&self, since: Option<u64>) -> Result<VerifyReport, Error> {
        let ask = Ask::get(&["journal", "verification"]);
        self.client.look(&ask.with("since", since.map(|s| s.to_string())))
    }

    pub(super) fn amend(
        &self,
        request: &AmendRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        let mut body =
            json!({ "address": dataset(&request.dataset, &request.slices), "condition": request.condition });
        let (field, what) = match &request.change {
            AmendChange::Set(set) => {
                let each = set.iter().map(|(c, e)| json!({ "column": c, "expression": e }));
                ("set", each.collect())
            }
            AmendChange::Delete => ("delete", Value::Bool(true)),
            AmendChange::Insert(file) => ("insert", rows(file)?),
            AmendChange::Replace(file) => ("replace", rows(file)?),
        };
        if let Some(fields) = body.as_object_mut() {
            fields.insert(field.to_owned(), what);
        }
        let path: &[&str] = if request.dry_run {
            &["amendments", "preview"]
        } else {
            &["amendments"]
        };
        self.work(Ask::post(path, body), cancel, watch)
    }

    pub(super) fn revert_amendment(
        &self,
        id: AmendmentId,
        dry_run: bool,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        let id = id.to_string();
        let path: &[&str] = if dry_run {
            &["amendments", &id, "revert", "preview"]
        } else {
            &["amendments", &id, "revert"]
        };
        self.work(Ask::act(path), cancel, watch)
    }

    pub(super) fn approve(
        &self,
        id: AmendmentId,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        self.work(
            Ask::act(&["amendments", &id.to_string(), "approve"]),
            cancel,
            watch,
        )
    }

    pub(super) fn retry_amendment(
        &self,
        id: AmendmentId,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        self.work(Ask::act(&["amendments", &id.to_string(), "retry"]), cancel, watch)
    }

    pub(super) fn drop_amendment(&self, id: AmendmentId) -> Result<AmendReport, Error> {
        self.change(Ask::delete(&["amendments", &id.to_string()]))
    }

    pub(super) fn why(
        &self,
        request: &WhyRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<WhyReport, Error> {
        let body = json!({ "thing": request.thing.to_string(), "condition": request.condition });
        if request.prove {
            self.work(Ask::post(&["why", "proofs"], body), cancel, watch)
        } else {
            self.look(Ask::post(&["why"], body))
        }
    }

    pub(super) fn diff(&self, request: &DiffRequest, _: &CancelToken) -> Result<DiffReport, Error> {
        let ask = Ask::get(&["datasets", &request.dataset.to_string(), "diff"])
            .with("from", Some(request.from.to_string()))
            .with("to", request.to.map(|t| t.to_string()))
            .with("key", (!request.key.is_empty()).then(|| request.key.join(",")))
            .with("limit", Some(request.limit.to_string()));
        self.look(ask)
    }

    pub(super) fn replay(
        &self,
        request: &ReplayRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<ReplaysReport, Error> {
        let runs: Vec<String> = request.runs.iter().map(ToString::to_string).collect();
        let body = json!({ "runs": runs, "threads": request.threads });
        self.work(Ask::post(&["replays"], body), cancel, watch)
    }

    pub(crate) fn doctor(&self) -> Result<DoctorReport, Error> {
        self.client.look(&Ask::get(&["doctor"]))
    }

    pub(super) fn resume(&self) -> Result<ResumeReport, Error> {
        self.change_whole(Ask::act(&["resumptions"]))
    }

    pub(super) fn vacuum(&self, dry_run: bool) -> Result<VacuumReport, Error> {
        if dry_run {
            self.look(Ask::get(&["vacuums"]))
        } else {
            self.change(Ask::act(&["vacuums"]))
        }
    }

    pub(super) fn create_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        self.change_whole(Ask::post(&["branches"], json!({ "branch": name.to_string() })))
    }

    pub(super) fn rebase_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        self.change_whole(Ask::act(&["branches", &name.to_string(), "rebase"]))
    }

    pub(super) fn promote_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        self.change_whole(Ask::act(&["branches", &name.to_string(), "promote"]))
    }

    pub(super) fn drop_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        self.change_whole(Ask::delete(&["branches", &name.to_string()]))
    }

    pub(super) fn branch_report(&self, name: &BranchName) -> Result<BranchReport, Error> {
        self.client.look(&Ask::get(&["branches", &name.to_string()]))
    }

    pub(super) fn tokens(&self) -> Result<TokensReport, Error> {
        self.client.look(&Ask::get(&["tokens"]))
    }

    pub(super) fn create_token(
        &self,
        name: &str,
        role: Role,
        expires: Option<Timestamp>,
    ) -> Result<TokenReport, Error> {
        let body = json!({ "name": name, "role": role, "expires": expires });
        self.change_whole(Ask::post(&["tokens"], body))
    }

    pub(super) fn revoke_token(&self, id: TokenId) -> Result<TokenReport, Error> {
        self.change_whole(Ask::delete(&["tokens", &id.to_string()]))
    }
}

fn dataset(name: &DatasetName, selection: &Selection) -> String {
    Address::Dataset(name.clone(), selection.clone()).to_string()
}

/// The rows of a file, as they travel.
fn rows(file: &Path) -> Result<Value, Error> {
    let content = std::fs::read(file).map_err(|e| {
        Error::new(
            ErrorKind::NotFound,
            "MS0702",
            format!("cannot read {}", file.display()),
        )
        .because(&e)
    })?;
    // Only the ending says something to the server.
    let name = file
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "_.-".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = format!("rows-{name}").chars().map(plain).collect();
    Ok(json!({ "name": name, "content": data_encoding::BASE64.encode(&content) }))
}
