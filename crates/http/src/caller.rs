//! Who asks for what, once that is decided: the guard puts it into the request, handlers take it out.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use mainstay_api::{Error, ErrorKind};
use mainstay_model::BranchName;
use mainstay_policy::{Answer, Principal};
use mainstay_server::{Context, Instance, SourceFile};

use crate::app::App;
use crate::problem;

/// Who asks for what.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) app: Arc<App>,
    pub(crate) operation: Arc<str>,
    /// The key of the request: the client's, or a new one.
    pub(crate) key: String,
    /// Whether the key is the client's.
    pub(crate) keyed: bool,
    pub(crate) account: String,
    pub(crate) actor: String,
    pub(crate) principal: Principal,
    pub(crate) decision: Answer,
    /// Whether the answer is wanted before the work is done.
    pub(crate) later: bool,
    /// What the answer should be written as.
    pub(crate) accept: String,
}

impl Caller {
    /// Takes it out of a request.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Response> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| {
            let error = Error::new(ErrorKind::Failed, "MS0901", "a request came past the guard");
            problem::answer(error, "")
        })
    }

    /// Returns the home as this caller sees it.
    pub(crate) fn instance(
        &self,
        branch: Option<&str>,
        reason: Option<String>,
        files: Option<Vec<SourceFile>>,
    ) -> Result<Instance, Error> {
        let branch = branch.map(str::parse::<BranchName>).transpose().map_err(|e| {
            Error::new(ErrorKind::Invalid, "MS0411", e.to_string())
                .help("mainstay list branch shows those there are")
        })?;
        let context = Context {
            account: self.account.clone(),
            actor: self.actor.clone(),
            reason: reason.filter(|r| !r.trim().is_empty()),
            request: Some(self.key.clone()),
        };
        self.app.instance.acting(context, branch, files)
    }
}

impl FromRequestParts<()> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &()) -> Result<Self, Response> {
        Self::of(parts)
    }
}
