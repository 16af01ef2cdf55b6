//! How project files are written, as types: the JSON Schemas for editors and for the reference are made from these.
//!
//! The types say what a file may hold; reading files is not done through them, so that all mistakes come at once and at their
//! places. A test holds both against each other.

use std::collections::BTreeMap;

use mainstay_model::DatasetName;
use mainstay_model::alarm::Metric;
use mainstay_model::message::ChannelFormat;
use mainstay_model::schema::ColumnType;
use mainstay_model::spec::{Format, OnRedelivery, OnSchemaChange};
use mainstay_model::trigger::CatchUp;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::amount::{DURATION_PATTERN, SIZE_PATTERN};

const PROJECT_NAME: &str = "^[a-z_][a-z0-9_-]{0,99}$";
const IDENTIFIER: &str = "^[a-z_][a-z0-9_]{0,99}$";
const SECRET_PLACE: &str = "^(env:[A-Za-z_][A-Za-z0-9_]{0,99}|file:[A-Za-z_][A-Za-z0-9_-]{0,99})$";
const MESSAGE_URL: &str = r"^https?://[^/\s]\S*$";
const NOT_BLANK: &str = r"\S";
const COLUMN_NAME: &str = r"^[^ ,;{}()\n\t=]+$";
const REFERENCE: &str = r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*\..*\S.*$";
const DELIMITER: &str = "^[\\t -!#-~]$";

/// Returns the JSON Schema of `mainstay.toml` and the other TOML files of a project.
pub fn schema() -> Value {
    schema_of::<ProjectFile>()
}

/// Returns the JSON Schema of the settings in a query's comments.
pub fn job_schema() -> Value {
    schema_of::<JobSettings>()
}

fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::default().with_transform(RecursiveTransform(without_null));
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Takes null out of a schema: TOML has none, what is not there is left out.
fn without_null(schema: &mut Schema) {
    let Some(words) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = words.get_mut("type") {
        types.retain(|t| t != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            words.insert("type".to_owned(), one);
        }
    }
    let null = serde_json::json!({ "type": "null" });
    let Some(Value::Array(among)) = words
        .get_mut("anyOf")
        .filter(|a| a.as_array().is_some_and(|a| a.contains(&null)))
    else {
        return;
    };
    among.retain(|s| *s != null);
    if let [Value::Object(one)] = among.as_slice() {
        let one = one.clone();
        words.remove("anyOf");
        for (word, says) in one {
            words.entry(word).or_insert(says);
        }
    }
}

/// A TOML file of a mainstay project.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProjectFile {
    /// The project itself; one of its files says it, once.
    pub project: Option<Project>,
    /// Places where files are delivered, by the dataset that they fill.
    pub source: Option<BTreeMap<DatasetName, Source>>,
    /// Queries, by the dataset that they compute. Most jobs are files of their own: `jobs/air/daily_delays.sql`.
    pub job: Option<BTreeMap<DatasetName, Job>>,
    /// Checks that are written apart from their datasets, by name.
    pub check: Option<BTreeMap<Identifier, CheckApart>>,
    /// What is run by itself, by name.
    pub trigger: Option<BTreeMap<DashedIdentifier, Trigger>>,
    /// Doors for messages from elsewhere, by name: `POST /v1/hooks/NAME`.
    pub hook: Option<BTreeMap<DashedIdentifier, Hook>>,
    /// Places to which messages go, by name.
    pub channel: Option<BTreeMap<DashedIdentifier, Channel>>,
    /// How many runs may go on at once that use something they share, or are alike, by name.
    pub limit: Option<BTreeMap<DashedIdentifier, Limit>>,
    /// What somebody wants to be told of as long as it is so, by name.
    pub alarm: Option<BTreeMap<DashedIdentifier, Alarm>>,
}

/// What holds for a whole project.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Project {
    /// Its name.
    #[schemars(regex(pattern = PROJECT_NAME))]
    pub name: String,
    /// Whose resources these are; `main` if left out.
    pub account: Option<Identifier>,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// Labels that everything in the project inherits.
    pub tags: Option<Tags>,
    /// Where the tables are: a folder or `s3://bucket/prefix`; the home's `data` folder if left out.
    #[schemars(regex(pattern = NOT_BLANK))]
    pub store: Option<String>,
    /// How many runs may go on at once; the number of cores if left out.
    #[schemars(range(min = 1, max = 10_000))]
    pub parallel: Option<u32>,
    /// Memory that all runs together may use: `"2 GiB"`, `"500 MB"` or a number of bytes; 60 % of the machine's if left out.
    pub memory: Option<Size>,
    /// Disk that all runs together may use for spilling; 100 GB if left out.
    pub spill: Option<Size>,
    /// What computing some slices a second time, to check what they are said to read, may cost, in percent of what computing
    /// costs; 5 if left out, 0 is never.
    #[schemars(range(min = 0, max = 10_000))]
    pub cross_check: Option<u32>,
    /// By account, what its runs get beside those of other accounts, in proportion: `{ main = 3, guest = 1 }`; 1 where nothing is
    /// said. Only what the project of the server's own account says counts.
    pub shares: Option<BTreeMap<Identifier, Share>>,
    /// Whether everything is computed again when mainstay's engine has another version; `false` if left out.
    pub recompute_on_engine: Option<bool>,
}

/// Something that is run by itself: at clock times, after new content, or on anything that happens.
#[derive(Debug, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("anyOf" = [{ "required": ["run"] }, { "required": ["notify"] }, { "required": ["emit"] }])
)]
pub struct Trigger {
    /// Clock times as cron(8) has them: minute, hour, day of the month, month, day of the week.
    #[schemars(regex(pattern = NOT_BLANK))]
    pub cron: Option<String>,
    /// The time zone of `cron`, for example `Europe/Berlin`; UTC if left out.
    #[schemars(regex(pattern = NOT_BLANK))]
    pub time_zone: Option<String>,
    /// Days on which `cron` does not fire, for example holidays: `["2026-12-25"]`.
    #[schemars(length(min = 1))]
    pub skip: Option<Vec<Named>>,
    /// Datasets whose new content sets it off; `air.*` stands for all of `air`.
    #[schemars(length(min = 1))]
    pub after: Option<Vec<Named>>,
    /// A pattern of facts that set it off, in the language of Amazon EventBridge: `{ kind = ["run.finished"] }`.
    pub on: Option<BTreeMap<String, Value>>,
    /// A hook whose messages set it off.
    #[schemars(regex(pattern = NOT_BLANK))]
    pub webhook: Option<String>,
    /// Datasets that are brought up to date, with all that they need; `air.*` stands for all of `air`.
    #[schemars(length(min = 1))]
    pub run: Option<Vec<Named>>,
    /// Channels that are told at once that it was set off; once for each incident.
    #[schemars(length(min = 1))]
    pub notify: Option<Vec<Named>>,
    /// A fact of its own, `event.emitted`, that patterns match: `{ type = "orders.complete", data = { … } }`. It is added when all that
    /// the trigger runs is done.
    pub emit: Option<Emit>,
    /// What becomes of clock times at which nobody was there: `last`, all of them fire once together, which is what holds if left
    /// out; `all`, each of them fires; `none`.
    pub catch_up: Option<CatchUp>,
    /// Whether it is to rest.
    pub paused: Option<bool>,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// Labels.
    pub tags: Option<Tags>,
}

/// A fact of a trigger's own.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Emit {
    /// What it is called.
    pub r#type: Named,
    /// What it says: anything that TOML can write.
    pub data: Option<Value>,
}

/// A place to which messages go: CloudEvents, signed as Standard Webhooks says; or one that is told every run as OpenLineage has it.
#[derive(Debug, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("anyOf" = [{ "required": ["secret"] },
                      { "required": ["format"], "properties": { "format": { "enum": ["openlineage"] } } }])
)]
pub struct Channel {
    /// Where they are sent to: `https://example.org/hooks/mainstay`.
    #[schemars(regex(pattern = MESSAGE_URL))]
    pub url: String,
    /// What it is told: `cloudevents`, what triggers tell it, which is what holds if left out; `openlineage`, every run.
    pub format: Option<ChannelFormat>,
    /// Where the secret is by which messages are signed, as for hooks: `env:OPS_SECRET` or `file:ops`. With lineage it is the key
    /// that is shown to who receives it, and may be left out.
    #[schemars(regex(pattern = SECRET_PLACE))]
    pub secret: Option<String>,
    /// Who is there, in a sentence.
    pub description: Option<String>,
    /// Labels.
    pub tags: Option<Tags>,
}

/// How many runs may go on at once: of the jobs that it names, of those with its tags, and of those that say that they use it.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limit {
    /// How much there is. A run takes one of it for as long as it goes on, or as much as its job says.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub at_most: u32,
    /// Jobs that it holds for without their saying so; `air.*` stands for all of `air`.
    #[schemars(length(min = 1))]
    pub jobs: Option<Vec<Named>>,
    /// Tags of jobs that it holds for without their saying so; a job has to have them all.
    pub tagged: Option<Tags>,
    /// What it protects, in a sentence.
    pub description: Option<String>,
    /// Labels.
    pub tags: Option<Tags>,
}

/// What somebody wants to be told of as long as it is so: one of `on`, `older`, `cpu` and `metric`.
#[derive(Debug, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("anyOf" = [{ "required": ["on", "within"] }, { "required": ["older", "dataset"] },
                      { "required": ["cpu", "within"] }, { "required": ["metric", "above"] }])
)]
pub struct Alarm {
    /// A pattern of facts, in the language of Amazon EventBridge: `{ kind = ["run.finished"], body = { outcome = ["failed"] } }`.
    pub on: Option<BTreeMap<String, Value>>,
    /// How many such facts there are at least; 1 if left out.
    #[schemars(range(min = 1, max = 1_000))]
    pub count: Option<u64>,
    /// Within which time facts and processor time are counted.
    pub within: Option<Duration>,
    /// A dataset that was not brought up to date for that time.
    pub older: Option<Duration>,
    /// The dataset that is watched with `older`.
    pub dataset: Option<DatasetName>,
    /// More processor time than that.
    pub cpu: Option<Duration>,
    /// The jobs whose processor time is counted; `air.*` stands for all of `air`; all there are if left out.
    #[schemars(length(min = 1))]
    pub jobs: Option<Vec<Named>>,
    /// Labels that these jobs have.
    pub tagged: Option<Tags>,
    /// A metric that is too high.
    pub metric: Option<Metric>,
    /// The highest number that the metric may have.
    pub above: Option<u64>,
    /// Channels that are told when it fires, and when that is over.
    #[schemars(length(min = 1))]
    pub notify: Option<Vec<Named>>,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// Labels.
    pub tags: Option<Tags>,
}

/// A door for messages from elsewhere: `POST /v1/hooks/NAME`, signed as Standard Webhooks says, or with a token of an operator.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Hook {
    /// Where the secret is by which its messages are signed: `env:PARTNER_SECRET` for a variable of the server's environment,
    /// `file:partner` for the file `secrets/main/partner` in the home, which only its owner may read (`main` is the account).
    #[schemars(regex(pattern = SECRET_PLACE))]
    pub secret: String,
    /// Who comes through it, in a sentence.
    pub description: Option<String>,
    /// Labels.
    pub tags: Option<Tags>,
}

/// A place where files are delivered; it fills the dataset of its name.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Source {
    /// A path relative to the project, or a URL, with `*`, `?`, `**` and `{a,b}`.
    #[schemars(regex(pattern = NOT_BLANK))]
    pub files: String,
    /// How the files are written; taken from the endings of their names if left out.
    pub format: Option<Format>,
    /// The slice columns; the dataset is one slice if left out.
    pub slice: Option<SliceExpressions>,
    /// The columns and their types, in order; taken from the first delivery, and then fixed, if left out.
    #[schemars(extend("minProperties" = 1))]
    pub columns: Option<BTreeMap<Named, ColumnType>>,
    /// What is done with a file whose columns are others; `refuse` if left out.
    pub on_schema_change: Option<OnSchemaChange>,
    /// How many others have to approve an amendment of its data; none if left out.
    #[schemars(range(min = 0, max = 10))]
    pub approve: Option<u32>,
    /// Which versions are kept, `{ versions = 10, age = "30 days" }`: those that any of them keeps; all if left out.
    pub retain: Option<Retain>,
    /// What lies at its place is in it after this time at the latest: `"15 min"`. Under `mainstay serve` the place is looked at
    /// by itself; nothing is promised if left out.
    pub keep_fresh: Option<Duration>,
    /// What is to be done with a delivered file after which amendments would change other rows than before: `apply` takes it in
    /// and says so, which is what holds if left out; `ask` holds it back until somebody says yes.
    pub on_redelivery: Option<OnRedelivery>,
    /// What columns of the files are called in the dataset: `{ "Unit price" = "unit_price" }`. All else that the source says
    /// uses the names of the dataset.
    #[schemars(extend("minProperties" = 1))]
    pub rename: Option<BTreeMap<Named, ColumnName>>,
    /// What a CSV file writes for NULL, besides nothing.
    #[schemars(length(min = 1))]
    pub null: Option<Vec<String>>,
    /// What stands between a CSV file's fields: one character; a comma if left out.
    #[schemars(regex(pattern = DELIMITER))]
    pub delimiter: Option<String>,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// Its labels, besides those of the project.
    pub tags: Option<Tags>,
    /// Conditions that each delivery must meet.
    pub checks: Option<Checks>,
}

/// A query that computes the dataset of its name.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Job {
    /// The query.
    #[schemars(regex(pattern = NOT_BLANK))]
    pub sql: String,
    /// The slice columns, which are columns of the query; the dataset is one slice if left out.
    pub slice: Option<SliceColumns>,
    /// Its labels, besides those of the project.
    pub tags: Option<Tags>,
    /// What it computes, in a sentence.
    pub description: Option<String>,
    /// How often it is tried again: a number, or `{ count = 2, pause = "1 s" }`, which is what holds if left out. The pause
    /// doubles each time, up to an hour.
    pub retries: Option<Retries>,
    /// How long one attempt may take: `"10 min"`; an hour if left out.
    pub time_limit: Option<Duration>,
    /// Which versions are kept, `{ versions = 10, age = "30 days" }`: those that any of them keeps; all if left out.
    pub retain: Option<Retain>,
    /// When triggers and promises leave it alone: `{ failures = 5, pause = "1 h" }` is, after 5 runs in a row that failed, for an hour;
    /// then one run tries. Never if left out.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// The limits of which a run takes one, `["warehouse"]`, or how much it takes of each: `{ warehouse = 2 }`.
    pub uses: Option<Uses>,
    /// What its sources have is in it after this time at the latest: `"15 min"`. Under `mainstay serve` what that takes is run by
    /// itself; nothing is promised if left out.
    pub keep_fresh: Option<Duration>,
    /// Conditions that the dataset must meet before it is published.
    pub checks: Option<Checks>,
}

/// The settings of a job in its own file, between `-- /// mainstay` and `-- ///`.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct JobSettings {
    /// The dataset that it computes, if not the one that the file's path below `jobs/` names.
    pub job: Option<DatasetName>,
    /// The slice columns, which are columns of the query; the dataset is one slice if left out.
    pub slice: Option<SliceColumns>,
    /// Its labels, besides those of the project.
    pub tags: Option<Tags>,
    /// What it computes, in a sentence.
    pub description: Option<String>,
    /// How often it is tried again: a number, or `{ count = 2, pause = "1 s" }`, which is what holds if left out. The pause
    /// doubles each time, up to an hour.
    pub retries: Option<Retries>,
    /// How long one attempt may take: `"10 min"`; an hour if left out.
    pub time_limit: Option<Duration>,
    /// Which versions are kept, `{ versions = 10, age = "30 days" }`: those that any of them keeps; all if left out.
    pub retain: Option<Retain>,
    /// When triggers and promises leave it alone: `{ failures = 5, pause = "1 h" }` is, after 5 runs in a row that failed, for an hour;
    /// then one run tries. Never if left out.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// The limits of which a run takes one, `["warehouse"]`, or how much it takes of each: `{ warehouse = 2 }`.
    pub uses: Option<Uses>,
    /// What its sources have is in it after this time at the latest: `"15 min"`. Under `mainstay serve` what that takes is run by
    /// itself; nothing is promised if left out.
    pub keep_fresh: Option<Duration>,
    /// Conditions that the dataset must meet before it is published.
    pub checks: Option<Checks>,
}

/// When a job that fails again and again is left alone.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CircuitBreaker {
    /// After so many runs in a row that failed.
    #[schemars(range(min = 1, max = 1000))]
    pub failures: u32,
    /// For so long.
    pub pause: Duration,
}

/// What a run takes of limits.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Uses {
    /// One of each of these.
    One(#[schemars(length(min = 1))] Vec<Named>),
    /// By limit, how much.
    Much(BTreeMap<DashedIdentifier, Units>),
}

/// What an account gets beside others, in proportion.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Share(#[schemars(range(min = 1, max = 1_000))] pub u32);

/// How much of something there is, or is taken.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Units(#[schemars(range(min = 1, max = 1_000_000))] pub u32);

/// Labels by name.
pub type Tags = BTreeMap<Named, String>;

/// A name of lower-case letters, digits and underscores.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent)]
pub struct Identifier(#[schemars(regex(pattern = IDENTIFIER))] pub String);

/// A name of lower-case letters, digits, underscores and dashes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent)]
pub struct DashedIdentifier(#[schemars(regex(pattern = PROJECT_NAME))] pub String);

/// The name of a column of a table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent)]
pub struct ColumnName(#[schemars(regex(pattern = COLUMN_NAME))] pub String);

/// A text that is not blank.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent)]
pub struct Named(#[schemars(regex(pattern = NOT_BLANK))] pub String);

/// A duration: `500 ms`, `2 s`, `15 min`, `1 h`, `2 days`.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Duration(#[schemars(regex(pattern = DURATION_PATTERN))] pub String);

/// A size: `500 MB`, `2 GiB`, or a number of bytes.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Size {
    /// A number of bytes.
    Bytes(#[schemars(range(min = 1))] u64),
    /// A number and a unit.
    Text(#[schemars(regex(pattern = SIZE_PATTERN))] String),
}

/// A slice column, or several.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum SliceColumns {
    /// One column.
    One(Named),
    /// Several, in order.
    Several(#[schemars(length(min = 1))] Vec<Named>),
}

/// A slice column, several, or expressions that make them.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum SliceExpressions {
    /// One column that is there.
    One(Named),
    /// Several that are there, in order.
    Several(#[schemars(length(min = 1))] Vec<Named>),
    /// Columns by the SQL expressions over delivered columns that make them: `{ day = "make_date(year, month, day)" }`.
    Made(#[schemars(extend("minProperties" = 1))] BTreeMap<Named, Named>),
}

/// Which versions of a dataset are kept.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retain {
    /// So many of the newest.
    #[schemars(range(min = 1))]
    pub versions: Option<u64>,
    /// Those that everybody read within this time: `"30 days"`.
    pub age: Option<Duration>,
    /// Those that runs of this time read or made, so that these can be replayed: `"30 days"`.
    pub replay: Option<Duration>,
}

/// How often a job is tried again.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Retries {
    /// So often, after a pause of one second.
    Count(#[schemars(range(max = 1000))] u32),
    /// So often, after such a pause.
    Paused(PausedRetries),
}

/// How often and how patiently a job is tried again.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PausedRetries {
    /// How many times after the first attempt; 2 if left out.
    #[schemars(range(max = 1000))]
    pub count: Option<u32>,
    /// The pause before the first retry; it doubles each time, up to an hour. One second if left out.
    pub pause: Option<Duration>,
}

pub use checks::*;

mod checks;
