//! The routes and their description: one handler for each thing that a command does, and nothing in it but the call.

mod access;
mod amendments;
mod branches;
mod data;
mod home;
mod hooks;
mod journal;
mod operations;
mod project;
mod runs;
mod things;

use mainstay_api::{Error, ErrorKind};
use mainstay_model::address::Selection;
use mainstay_model::{Address, DatasetName};
use serde::{Deserialize, Serialize};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Description, Ref, ResponseBuilder};
use utoipa::{IntoParams, Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::limits::Limits;

/// In which branch something is looked at.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Side {
    /// The branch; the live side if left out.
    #[param(min_length = 1, max_length = 100)]
    pub(crate) branch: Option<String>,
}

/// In which branch something is changed, and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Acting {
    /// The branch; the live side if left out.
    #[param(min_length = 1, max_length = 100)]
    pub(crate) branch: Option<String>,
    /// Why; recorded with the change.
    #[param(max_length = 4000)]
    #[serde(default, deserialize_with = "crate::plain::reason")]
    pub(crate) reason: Option<String>,
}

/// A file of a project.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileBody {
    /// Its path, relative to the project, with `/` between folders.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "mainstay",
        description = "Everything that the command line does. Errors are `application/problem+json` with the codes of the command line. \
A request that changes something may carry an `Idempotency-Key`: repeated under the same key it is done once and answered the same. \
With `Prefer: respond-async` it is answered at once with 202 and a link to its operation. \
`Mainstay-Account` names the account that is acted in, where the identity may act in several. \
Limits: a body of at most 64 MiB that arrives within 20 seconds, 300 seconds for a request that only looks, \
500 requests a second for each identity (1000 after a rest), 1024 connections.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(mainstay_api::Problem)),
    modifiers(&Common),
    security(("token" = []))
)]
struct Api;

/// What every operation has: the token, and how it may fail.
struct Common;

const FAILURES: [(&str, &str); 11] = [
    ("400", "The request does not have the form that is described here"),
    ("401", "Nobody is known to ask"),
    ("403", "It is not allowed to who asks"),
    ("404", "There is no such thing"),
    ("409", "It is refused: not confirmed, in conflict, or stopped"),
    ("412", "What it was based on has moved"),
    ("422", "The request makes no sense, or the work failed"),
    ("429", "Too many requests at once"),
    ("500", "A defect, or stored data that does not verify"),
    ("503", "Something cannot be reached, or took too long"),
    ("408", "The request did not arrive in time"),
];

/// How operations with a body may fail besides.
const BODY_FAILURES: [(&str, &str); 2] = [
    ("413", "The body is too large"),
    ("415", "The body is not said to be JSON"),
];

impl Modify for Common {
    fn modify(&self, api: &mut Description) {
        let components = api.components.get_or_insert_with(Default::default);
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "A token of `mainstay token create`. On the home's socket its owner needs none.",
            ))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Adds to every operation how it may fail.
fn with_failures(api: &mut Description) {
    for item in api.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let more = if operation.request_body.is_some() {
                BODY_FAILURES.as_slice()
            } else {
                &[]
            };
            for (status, about) in FAILURES.iter().chain(more) {
                let content = ContentBuilder::new()
                    .schema(Some(Ref::from_schema_name("Problem")))
                    .build();
                let response = ResponseBuilder::new()
                    .description(*about)
                    .content("application/problem+json", content)
                    .build();
                let responses = &mut operation.responses.responses;
                responses
                    .entry((*status).to_owned())
                    .or_insert_with(|| response.into());
            }
        }
    }
}

/// Returns the routes with their description.
pub(crate) fn router() -> (axum::Router, Description) {
    let (router, mut api) = OpenApiRouter::with_openapi(Api::openapi())
        .merge(access::routes())
        .merge(amendments::routes())
        .merge(branches::routes())
        .merge(data::routes())
        .merge(home::routes())
        .merge(hooks::routes())
        .merge(journal::routes())
        .merge(operations::routes())
        .merge(project::routes())
        .merge(runs::routes())
        .merge(things::routes())
        .split_for_parts();
    with_failures(&mut api);
    debug_assert_eq!(
        Limits::default().body_bytes,
        64 << 20,
        "the description states it"
    );
    (router, api)
}

/// Returns the description of the API: OpenAPI 3.1, as JSON.
///
/// # Errors
///
/// If it cannot be written, which is a defect.
pub fn openapi() -> Result<String, Error> {
    router()
        .1
        .to_pretty_json()
        .map_err(|e| Error::new(ErrorKind::Failed, "MS0901", "the description cannot be written").because(&e))
}

fn address(text: &str) -> Result<Address, Error> {
    text.parse().map_err(|e: mainstay_model::address::BadAddress| {
        Error::new(ErrorKind::Invalid, "MS0007", e.to_string())
    })
}

fn dataset(text: &str) -> Result<(DatasetName, Selection), Error> {
    match address(text)? {
        Address::Dataset(name, selection) => Ok((name, selection)),
        other => Err(not_a(&other.to_string(), "dataset")
            .help("datasets look like air.flights or air.flights@2013-02-03")),
    }
}

fn run(text: &str) -> Result<mainstay_model::RunId, Error> {
    match address(text)? {
        Address::Run(id) => Ok(id),
        other => Err(not_a(&other.to_string(), "run").help("mainstay runs")),
    }
}

fn not_a(thing: &str, kind: &str) -> Error {
    Error::new(ErrorKind::Invalid, "MS0007", format!("`{thing}` is not a {kind}"))
}

fn time(text: &str) -> Result<mainstay_base::Timestamp, Error> {
    text.parse().map_err(|e: mainstay_base::clock::BadTimestamp| {
        Error::new(ErrorKind::Invalid, "MS0008", e.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app;

    #[test]
    fn every_operation_has_a_class_a_name_and_a_problem() {
        let (_, api) = router();
        let routes = app::routes(&api).expect("classes");
        let mut names: Vec<_> = routes
            .values()
            .flat_map(|m| m.values())
            .map(|r| r.operation.clone())
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "two operations have one name");
        assert!(all >= 40, "{all}");
        let text = openapi().expect("json");
        assert!(text.contains("\"3.1.0\""));
    }
}
