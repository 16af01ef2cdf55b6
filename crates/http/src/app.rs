//! What all requests share: the open home, the policies, the limits, and what is going on.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method;
use mainstay_api::{Error, ErrorKind};
use mainstay_policy::{Class, Policies};
use mainstay_server::Instance;
use tokio::sync::Semaphore;
use utoipa::openapi::{OpenApi, PathItem};

use crate::limits::{Limits, Rates};
use crate::metrics::Counts;
use crate::operation::Operations;

/// An operation as the description has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) operation: Arc<str>,
    pub(crate) class: Class,
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) instance: Instance,
    pub(crate) policies: Policies,
    pub(crate) limits: Limits,
    pub(crate) rates: Rates,
    pub(crate) operations: Operations,
    pub(crate) counts: Counts,
    /// By path and method.
    pub(crate) routes: BTreeMap<String, BTreeMap<String, Route>>,
    pub(crate) looks: Semaphore,
    /// The account that the home was opened for.
    pub(crate) account: String,
    /// The user that owns the home.
    pub(crate) owner: u32,
    /// Whether it ends.
    pub(crate) ending: tokio::sync::watch::Receiver<bool>,
}

/// Reads off the description which operation is what, so that no route can be without a class.
///
/// # Errors
///
/// If one is.
pub(crate) fn routes(api: &OpenApi) -> Result<BTreeMap<String, BTreeMap<String, Route>>, Error> {
    let mut routes = BTreeMap::new();
    for (path, item) in &api.paths.paths {
        let mut methods = BTreeMap::new();
        for (method, operation) in operations(item) {
            let class = operation
                .extensions
                .as_ref()
                .and_then(|e| e.get("x-class"))
                .and_then(|v| v.as_str())
                .and_then(|name| Class::ALL.into_iter().find(|c| c.name() == name));
            let (Some(class), Some(id)) = (class, &operation.operation_id) else {
                return Err(Error::new(
                    ErrorKind::Failed,
                    "MS0901",
                    format!("{method} {path} has no class, so nobody may ask for it"),
                ));
            };
            let route = Route {
                operation: id.as_str().into(),
                class,
            };
            methods.insert(method.to_string(), route);
        }
        routes.insert(path.clone(), methods);
    }
    Ok(routes)
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &utoipa::openapi::path::Operation)> {
    [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}
