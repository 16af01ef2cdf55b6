//! How handlers answer: looks at once, changes once for each key, long work when it is done or later.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use mainstay_api::{Error, ErrorKind, Problem};
use mainstay_base::Hash;
use mainstay_model::access::RequestAnswered;
use mainstay_model::queue::Class;
use mainstay_server::{CancelToken, Doing, Earlier, Instance, SourceFile};
use serde::Serialize;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::guard::decided;
use crate::operation::{Begun, Operation};
use crate::problem;
use crate::routes::{Acting, FileBody};

/// The preference of a client that does not wait.
const LATER: &str = "respond-async";

/// Does something that waits for disks, away from the threads that serve connections. A defect ends the request, not the process.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(move || std::panic::catch_unwind(AssertUnwindSafe(work))).await;
    match done {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => Err(Error::new(
            ErrorKind::Failed,
            "MS0901",
            "mainstay itself failed to answer this request",
        )
        .help("this is a defect; please report it with what you did")),
    }
}

pub(crate) fn value<T: Serialize>(answer: &T) -> Result<Value, Error> {
    serde_json::to_value(answer).map_err(|e| {
        Error::new(ErrorKind::Failed, "MS0901", "an answer cannot be written as JSON").because(&e)
    })
}

impl Caller {
    /// Computes something that changes nothing; given up, and cancelled, after the time that is set for it.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        branch: Option<String>,
        files: Option<Vec<FileBody>>,
        look: impl FnOnce(&Instance, &CancelToken) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let late = || {
            Error::new(
                ErrorKind::Unavailable,
                "MS0814",
                "this took longer than a request may take",
            )
            .help("ask for less at a time")
        };
        let cancel = CancelToken::new();
        let (pulled, caller) = (cancel.clone(), self.clone());
        let work = async {
            let _permit = self.app.looks.acquire().await;
            let files = files.map(sources);
            blocking(move || look(&caller.instance(branch.as_deref(), None, files)?, &pulled)).await
        };
        match tokio::time::timeout(self.app.limits.look, work).await {
            Ok(result) => result,
            Err(_) => {
                cancel.cancel();
                Err(late())
            }
        }
    }

    /// Answers with something that changes nothing.
    pub(crate) async fn look<T: Serialize + Send + 'static>(
        self,
        branch: Option<String>,
        look: impl FnOnce(&Instance, &CancelToken) -> Result<T, Error> + Send + 'static,
    ) -> Response {
        self.look_at(branch, None, look).await
    }

    /// Answers with something that changes nothing, about a project that came with the request.
    pub(crate) async fn look_at<T: Serialize + Send + 'static>(
        self,
        branch: Option<String>,
        files: Option<Vec<FileBody>>,
        look: impl FnOnce(&Instance, &CancelToken) -> Result<T, Error> + Send + 'static,
    ) -> Response {
        let found = self
            .compute(branch, files, move |instance, cancel| {
                value(&look(instance, cancel)?)
            })
            .await;
        match found {
            Ok(document) => problem::written(StatusCode::OK, document),
            Err(error) => problem::answer(error, &self.key),
        }
    }

    /// Changes something, once for each key: recorded with its decision before, with its answer after.
    pub(crate) async fn change<A: Serialize, T: Serialize>(
        self,
        acting: Acting,
        asked: &A,
        files: Option<Vec<FileBody>>,
        change: impl FnOnce(&Instance, &Operation) -> Result<T, Error> + Send + 'static,
    ) -> Response {
        self.in_turn(Doing::Change, acting, asked, files, change).await
    }

    /// Delivers or runs, as [`Caller::change`] changes something: beside others who do.
    pub(crate) async fn work<A: Serialize, T: Serialize>(
        self,
        class: Class,
        acting: Acting,
        asked: &A,
        change: impl FnOnce(&Instance, &Operation) -> Result<T, Error> + Send + 'static,
    ) -> Response {
        self.in_turn(Doing::Work(class), acting, asked, None, change)
            .await
    }

    /// Corrects something, as [`Caller::change`] changes it: beside work, after the corrections that came before.
    pub(crate) async fn correct<A: Serialize, T: Serialize>(
        self,
        acting: Acting,
        asked: &A,
        change: impl FnOnce(&Instance, &Operation) -> Result<T, Error> + Send + 'static,
    ) -> Response {
        self.in_turn(Doing::Correction, acting, asked, None, change).await
    }

    async fn in_turn<A: Serialize, T: Serialize>(
        self,
        doing: Doing,
        acting: Acting,
        asked: &A,
        files: Option<Vec<FileBody>>,
        change: impl FnOnce(&Instance, &Operation) -> Result<T, Error> + Send + 'static,
    ) -> Response {
        match self.begin(doing, acting, asked, files, change).await {
            Ok(response) => response,
            Err(error) => problem::answer(error, &self.key),
        }
    }

    async fn begin<A: Serialize, T: Serialize>(
        &self,
        doing: Doing,
        acting: Acting,
        asked: &A,
        files: Option<Vec<FileBody>>,
        change: impl FnOnce(&Instance, &Operation) -> Result<T, Error> + Send + 'static,
    ) -> Result<Response, Error> {
        let asked = value(&json!([&*self.operation, &acting, value(asked)?, &files]))?;
        let asked = Hash::of(asked.to_string().as_bytes());
        let operation = match self
            .app
            .operations
            .begin(&self.account, &self.key, &self.operation, asked)
        {
            Begun::Other => return Err(other()),
            Begun::GoesOn(operation) => operation,
            Begun::New(operation) => {
                let caller = self.clone();
                let own = Arc::clone(&operation);
                tokio::spawn(async move {
                    let _turn = caller.app.instance.turn(&caller.account, doing).await;
                    let (status, document) = caller.carry_out(acting, asked, files, &own, change).await;
                    own.end(status, document);
                });
                operation
            }
        };
        if self.later && operation.result().is_none() {
            return Ok(accepted(&operation));
        }
        let (status, document) = operation.wait().await;
        Ok(problem::written(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            document,
        ))
    }

    async fn carry_out<T: Serialize>(
        &self,
        acting: Acting,
        asked: Hash,
        files: Option<Vec<FileBody>>,
        operation: &Arc<Operation>,
        change: impl FnOnce(&Instance, &Operation) -> Result<T, Error> + Send + 'static,
    ) -> (u16, Value) {
        let (caller, own) = (self.clone(), Arc::clone(operation));
        let done = blocking(move || {
            if own.cancel.is_cancelled() {
                return Err(Error::new(
                    ErrorKind::Interrupted,
                    "MS0815",
                    "it was stopped before it began",
                ));
            }
            let files = files.map(sources);
            let instance = caller.instance(acting.branch.as_deref(), acting.reason.clone(), files)?;
            let _busy = instance.busy();
            if caller.keyed {
                match instance.earlier(&caller.key, &caller.operation, &asked)? {
                    Earlier::None | Earlier::Again => {}
                    Earlier::Other => return Err(other()),
                    Earlier::Answered(status, answer) => return Ok((status, answer)),
                    Earlier::Done(answer) => return caller.keep(&instance, 200, answer),
                }
            }
            instance.record_access(decided(&caller, Some(asked)))?;
            match change(&instance, &own).and_then(|t| value(&t)) {
                Ok(answer) => caller.keep(&instance, 200, answer),
                Err(error) => {
                    let status = problem::status(&error);
                    let problem = Problem::new(error, status.as_u16(), &caller.key);
                    let answer = value(&problem)?;
                    // What may go better next time is not kept: the same key tries again.
                    let kept = !status.is_server_error() && problem.code != "MS0010";
                    if kept && problem.kind != ErrorKind::Interrupted {
                        return caller.keep(&instance, status.as_u16(), answer);
                    }
                    Ok((status.as_u16(), answer))
                }
            }
        });
        done.await.unwrap_or_else(|error| {
            let status = problem::status(&error).as_u16();
            let problem = Problem::new(error, status, &self.key);
            (status, serde_json::to_value(problem).unwrap_or_default())
        })
    }

    /// Records an answer, without the secret that may be in it, and returns it with it.
    fn keep(&self, instance: &Instance, status: u16, answer: Value) -> Result<(u16, Value), Error> {
        let mut kept = answer.clone();
        if let Some(fields) = kept.as_object_mut() {
            fields.remove("secret");
        }
        instance.record_answer(RequestAnswered {
            request: self.key.clone(),
            operation: self.operation.to_string(),
            status,
            answer: kept,
        })?;
        Ok((status, answer))
    }
}

fn sources(files: Vec<FileBody>) -> Vec<SourceFile> {
    let each = files.into_iter();
    each.map(|f| SourceFile {
        path: f.path,
        text: f.text,
    })
    .collect()
}

fn other() -> Error {
    Error::new(
        ErrorKind::Refused,
        "MS0804",
        "another request was made under the same key",
    )
    .help("a key stands for one request: use a new one for another")
}

/// The answer to who does not wait.
fn accepted(operation: &Operation) -> Response {
    let report = operation.report();
    let place = format!("/v1/operations/{}", report.operation);
    let document = serde_json::to_value(&report).unwrap_or_default();
    let mut response = problem::written(StatusCode::ACCEPTED, document);
    let headers = response.headers_mut();
    if let Ok(place) = HeaderValue::from_str(&place) {
        headers.insert(header::LOCATION, place);
    }
    headers.insert("preference-applied", HeaderValue::from_static(LATER));
    response
}
