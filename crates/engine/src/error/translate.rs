//! Plain words for what DataFusion, Arrow, Parquet, the stores and the operating system say.
//!
//! Knows how these libraries nest their errors; refuses to pass their wording of types and internals on. The innermost cause
//! decides; where several layers repeat one cause, it is said once.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use mainstay_base::Bytes;
use mainstay_catalog::{Error as CatalogError, Kind as CatalogKind};
use object_store::Error as StoreError;
use parquet::errors::ParquetError;

use super::{Error, Kind};

/// The limits that an error may have to name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Memory of all runs together.
    pub(crate) memory: Bytes,
    /// Disk for spilling of all runs together.
    pub(crate) spill: Bytes,
}

/// Says in plain words why `error` happened.
pub(crate) fn translate(error: &DataFusionError, limits: Limits) -> Error {
    // The causes from the outside in; the last one that says something is the one to tell.
    let mut causes: Vec<&(dyn StdError + 'static)> = vec![error];
    while let Some(next) = causes.last().and_then(|e| inner(*e)) {
        causes.push(next);
    }
    // A store knows more of what happened to it than the system call below.
    if let Some(told) = causes.iter().find_map(|e| of_files(*e)) {
        return told;
    }
    let told = causes.iter().rev().find_map(|e| tell(*e, limits));
    told.unwrap_or_else(|| other(&error.strip_backtrace()))
}

/// What the layers of files say, if it is one of theirs.
fn of_files(e: &(dyn StdError + 'static)) -> Option<Error> {
    if let Some(e) = e.downcast_ref::<CatalogError>() {
        let is = match e.kind() {
            CatalogKind::Storage(is) => return Some(of_kind(is, &e.to_string())),
            CatalogKind::Input => Kind::Query,
            CatalogKind::Foreign | CatalogKind::Damaged => Kind::Data,
            // What Arrow and Parquet say themselves says more.
            CatalogKind::Bug => return None,
        };
        let detail = e
            .source()
            .map_or_else(String::new, |s| format!(" ({})", plain(&s.to_string())));
        return Some(Error::new(is, e.code(), format!("{}{detail}", plain(&e.to_string()))).help(e.help()));
    }
    if let Some(e) = e.downcast_ref::<mainstay_storage::Error>() {
        return Some(of_kind(e.kind, &e.to_string()));
    }
    e.downcast_ref::<StoreError>().map(of_store)
}

/// What a store says, by its own kinds.
fn of_kind(is: mainstay_storage::Kind, said: &str) -> Error {
    let kind = match is {
        mainstay_storage::Kind::Full => Kind::Resources,
        mainstay_storage::Kind::NotFound => Kind::Data,
        _ => Kind::Store,
    };
    Error::new(kind, is.code(), plain(said))
        .help(is.help())
        .transient(is.transient())
}

/// The next cause inwards; an I/O error hides the error that it wraps from `source`.
fn inner<'a>(e: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(io) = e.downcast_ref::<io::Error>() {
        return io.get_ref().map(|e| e as &(dyn StdError + 'static));
    }
    if let Some(shared) = e.downcast_ref::<Arc<DataFusionError>>() {
        return Some(shared.as_ref());
    }
    match e.downcast_ref::<ArrowError>() {
        Some(ArrowError::ExternalError(e)) => Some(e.as_ref()),
        Some(ArrowError::IoError(_, e)) => Some(e),
        Some(_) => None,
        None => match e.downcast_ref::<ParquetError>() {
            Some(ParquetError::External(e)) => Some(e.as_ref()),
            Some(_) => None,
            None => e.source(),
        },
    }
}

/// What one cause says, if it says something of its own.
fn tell(e: &(dyn StdError + 'static), limits: Limits) -> Option<Error> {
    if let Some(own) = e.downcast_ref::<Error>() {
        return Some(own.clone());
    }
    if let Some(e) = e.downcast_ref::<io::Error>() {
        return of_io(e, limits);
    }
    if let Some(e) = e.downcast_ref::<ParquetError>() {
        return of_parquet(e);
    }
    if let Some(e) = e.downcast_ref::<ArrowError>() {
        return of_arrow(e);
    }
    if let Some(e) = e.downcast_ref::<SchemaError>() {
        return Some(mistake(&e.to_string()));
    }
    if let Some(e) = e.downcast_ref::<tokio::task::JoinError>() {
        return Some(if e.is_cancelled() {
            Error::cancelled()
        } else {
            Error::bug("a part of it stopped unexpectedly")
        });
    }
    of_datafusion(e.downcast_ref::<DataFusionError>()?, limits)
}

fn of_datafusion(e: &DataFusionError, limits: Limits) -> Option<Error> {
    Some(match e {
        DataFusionError::ResourcesExhausted(text) if text.contains("disk space") => spill_limit(limits),
        DataFusionError::ResourcesExhausted(_) => memory(limits),
        DataFusionError::Plan(text) => mistake(text),
        DataFusionError::SQL(parser, _) => mistake(&parser.to_string()),
        DataFusionError::NotImplemented(text) => Error::new(
            Kind::Query,
            "MS0312",
            format!("the query uses something that is not supported: {}", plain(text)),
        ),
        DataFusionError::Execution(text) => of_text(text),
        DataFusionError::Internal(text) => Error::bug(plain(text)),
        DataFusionError::Configuration(text)
        | DataFusionError::Substrait(text)
        | DataFusionError::Ffi(text) => Error::bug(plain(text)),
        // These only wrap; what they wrap was asked before.
        _ => return None,
    })
}

fn of_arrow(e: &ArrowError) -> Option<Error> {
    Some(match e {
        ArrowError::DivideByZero => division(),
        ArrowError::ArithmeticOverflow(text) => overflow(text),
        ArrowError::CastError(text) | ArrowError::ParseError(text) => cast(text),
        ArrowError::IpcError(text) => of_text(text),
        ArrowError::ParquetError(text) => damaged(text),
        ArrowError::ExternalError(_) | ArrowError::IoError(..) => return None,
        ArrowError::OffsetOverflowError(_) | ArrowError::DictionaryKeyOverflowError => Error::new(
            Kind::Resources,
            "MS0313",
            "a single batch of text values grew beyond 2 GB",
        ),
        other => of_text(&other.to_string()),
    })
}

fn of_parquet(e: &ParquetError) -> Option<Error> {
    match e {
        ParquetError::External(_) => None,
        ParquetError::ArrowError(text) if text.contains("External error") => Some(of_text(text)),
        other => Some(damaged(&other.to_string())),
    }
}

fn of_store(e: &StoreError) -> Error {
    let is = mainstay_storage::error::classify(e);
    let said = match (is, e) {
        (mainstay_storage::Kind::NotFound, StoreError::NotFound { path, .. }) => return gone(path),
        (_, StoreError::PermissionDenied { path, .. } | StoreError::Unauthenticated { path, .. }) => {
            format!("the store refused access to `{path}`")
        }
        (mainstay_storage::Kind::Denied, _) => "the store refused access".to_owned(),
        (mainstay_storage::Kind::Unreachable, _) => format!("the store does not answer: {}", last_words(e)),
        (mainstay_storage::Kind::Full, _) => "no space is left where the data is".to_owned(),
        _ => format!("the store answered with an error: {}", last_words(e)),
    };
    of_kind(is, &said)
}

/// A pinned file that is not there.
pub(crate) fn gone(path: &str) -> Error {
    Error::new(Kind::Data, "MS0307", format!("the file `{path}` is gone")).help(
        "something other than mainstay removed it; recompute its dataset with `mainstay run ADDRESS --force`",
    )
}

fn of_io(e: &io::Error, limits: Limits) -> Option<Error> {
    let text = e.to_string();
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(disk_full()),
        _ if text.contains("disk space") && text.contains("limit") => Some(spill_limit(limits)),
        _ if e.get_ref().is_some_and(|e| e.is::<DataFusionError>()) => None,
        _ => Some(Error::new(
            Kind::Store,
            "MS0309",
            format!("reading or writing a spill file failed: {}", plain(&text)),
        )),
    }
}

/// The innermost words of a chain of causes.
fn last_words(e: &(dyn StdError + 'static)) -> String {
    let mut last = e;
    while let Some(next) = inner(last) {
        last = next;
    }
    plain(&last.to_string())
}

/// What a layer says only in words.
fn of_text(text: &str) -> Error {
    let lower = text.to_lowercase();
    if lower.contains("divide by zero") || lower.contains("division by zero") {
        division()
    } else if lower.contains("overflow") {
        overflow(text)
    } else if lower.contains("no space left") {
        disk_full()
    } else if lower.contains("cast error")
        || lower.contains("cannot cast")
        || lower.contains("can't cast")
        || lower.contains("error parsing")
    {
        cast(text)
    } else {
        other(text)
    }
}

fn division() -> Error {
    Error::new(Kind::Query, "MS0304", "a number was divided by zero")
        .help("guard the divisor: `a / nullif(b, 0)` yields NULL where b is 0")
}

fn overflow(text: &str) -> Error {
    // `abs` puts the name of a type before the call.
    let text = text.split_once(" overflow on ").map_or(text, |(_, call)| call);
    Error::new(
        Kind::Query,
        "MS0306",
        format!("a number grew beyond what its type can hold: {}", plain(text)),
    )
    .help(
        "cast to a wider type before calculating, for example CAST(x AS DECIMAL(38, 2)) or CAST(x AS BIGINT)",
    )
}

fn cast(text: &str) -> Error {
    Error::new(
        Kind::Query,
        "MS0305",
        format!("a value could not be converted: {}", plain(text)),
    )
    .help("`TRY_CAST(x AS type)` yields NULL for values that do not convert")
}

pub(crate) fn damaged(text: &str) -> Error {
    Error::new(
        Kind::Data,
        "MS0308",
        format!("a data file cannot be read: {}", plain(text)),
    )
    .help(
        "something other than mainstay changed it; recompute its dataset with `mainstay run ADDRESS --force`",
    )
}

fn mistake(text: &str) -> Error {
    Error::new(
        Kind::Query,
        "MS0312",
        format!("the query cannot be planned: {}", plain(text)),
    )
}

fn other(text: &str) -> Error {
    Error::new(
        Kind::Query,
        "MS0313",
        format!("the query failed: {}", plain(text)),
    )
}

fn memory(limits: Limits) -> Error {
    Error::new(
        Kind::Resources,
        "MS0301",
        format!(
            "it needs more memory than the limit of {} that all runs share",
            limits.memory
        ),
    )
    .help("raise `memory` in [project], lower `parallel`, or split the job into slices")
}

fn spill_limit(limits: Limits) -> Error {
    Error::new(
        Kind::Resources,
        "MS0302",
        format!(
            "it needs more disk for spilling than the limit of {} that all runs share",
            limits.spill
        ),
    )
    .help("raise `spill` in [project], raise `memory`, or split the job into slices")
}

fn disk_full() -> Error {
    Error::new(
        Kind::Resources,
        "MS0303",
        "the disk with the spill folder is full",
    )
    .help("free space where the spill folder is; nothing was published")
}

/// Takes out what only a programmer of the libraries could want to know: layer names, bug-report pleas, type names.
fn plain(text: &str) -> String {
    let mut text = text.split("\n\nbacktrace").next().unwrap_or(text);
    for plea in [
        "This issue was likely caused by a bug",
        "This was likely caused by a bug",
    ] {
        text = text.split(plea).next().unwrap_or(text);
    }
    let mut text = text.trim().trim_end_matches(['.', '\n']).to_owned();
    const LAYERS: [&str; 21] = [
        "External error: ",
        "Arrow error: ",
        "Parquet error: ",
        "Cast error: ",
        "Parser error: ",
        "Compute error: ",
        "Io error: ",
        "IO error: ",
        "Ipc error: ",
        "Execution error: ",
        "Error during planning: ",
        "Schema error: ",
        "Object Store error: ",
        "Invalid argument error: ",
        "Parquet argument error: ",
        "Arithmetic overflow: ",
        "SQL error: ",
        "Internal error: ",
        "Optimizer rule ",
        "EOF: ",
        "sql parser error: ",
    ];
    for layer in LAYERS {
        text = text.replace(layer, "");
    }
    const TYPES: [(&str, &str); 24] = [
        ("Utf8View", "string"),
        ("LargeUtf8", "string"),
        ("Utf8", "string"),
        ("BinaryView", "binary"),
        ("LargeBinary", "binary"),
        ("UInt64", "unsigned long"),
        ("UInt32", "unsigned integer"),
        ("UInt16", "unsigned short"),
        ("UInt8", "unsigned byte"),
        ("Int64", "long"),
        ("Int32", "integer"),
        ("Int16", "short"),
        ("Int8", "byte"),
        ("Float64", "double"),
        ("Float32", "float"),
        ("Decimal128", "decimal"),
        ("Decimal256", "decimal"),
        ("Decimal64", "decimal"),
        ("Decimal32", "decimal"),
        ("Boolean", "boolean"),
        ("Date32", "date"),
        ("Date64", "date"),
        ("Timestamp(Microsecond, Some(\"UTC\"))", "timestamp"),
        ("Timestamp(Microsecond, None)", "timestamp_ntz"),
    ];
    for (theirs, ours) in TYPES {
        text = text.replace(theirs, ours);
    }
    text.replace("DataFusion's ", "").replace("DataFusion ", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        memory: Bytes(1_000_000),
        spill: Bytes(2_000_000),
    };

    fn told(e: DataFusionError) -> (&'static str, String, bool) {
        let t = translate(&e, LIMITS);
        (t.code, t.message, t.transient)
    }

    #[test]
    fn the_innermost_cause_is_told() {
        let zero = DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None);
        let wrapped = DataFusionError::Shared(Arc::new(zero.context("while joining")));
        let deep = DataFusionError::from(ArrowError::ExternalError(Box::new(wrapped)));
        assert_eq!(
            told(deep),
            ("MS0304", "a number was divided by zero".into(), false)
        );
    }

    #[test]
    fn a_full_disk_is_found_through_every_layer() {
        let io = io::Error::from(io::ErrorKind::StorageFull);
        let spill = io::Error::other(DataFusionError::IoError(io));
        let e = DataFusionError::from(ArrowError::IoError("Io error".into(), spill));
        assert_eq!(told(e).0, "MS0303");
        let io = io::Error::from(io::ErrorKind::StorageFull);
        let store = StoreError::Generic {
            store: "LocalFileSystem",
            source: Box::new(io),
        };
        assert_eq!(told(DataFusionError::from(store)).0, "MS0715");
    }

    #[test]
    fn limits_are_named() {
        let e = DataFusionError::ResourcesExhausted("Failed to allocate additional 3 MB".into());
        assert_eq!(
            told(e),
            (
                "MS0301",
                "it needs more memory than the limit of 1.00 MB that all runs share".into(),
                false
            )
        );
        let disk = io::Error::other(
            "The used disk space during the spilling process has exceeded the allowable limit of 2 MB",
        );
        let (code, message, _) = told(DataFusionError::IoError(disk));
        assert_eq!((code, message.contains("2.00 MB")), ("MS0302", true));
    }

    #[test]
    fn no_type_names_and_no_pleas() {
        let e = DataFusionError::Internal("MemoryExec of Utf8View missing".into());
        let (code, message, _) = told(e);
        assert_eq!(code, "MS0314");
        assert!(
            !message.contains("Utf8View") && !message.contains("bug in") && !message.contains("github"),
            "{message}"
        );
        let e = DataFusionError::from(ArrowError::CastError(
            "Cannot cast string 'abc' to value of Int64 type".into(),
        ));
        assert_eq!(
            told(e),
            (
                "MS0305",
                "a value could not be converted: Cannot cast string 'abc' to value of long type".into(),
                false
            )
        );
    }

    #[test]
    fn only_stores_are_worth_another_try() {
        let io = io::Error::from(io::ErrorKind::ConnectionRefused);
        let e = DataFusionError::from(StoreError::Generic {
            store: "S3",
            source: Box::new(io),
        });
        assert!(translate(&e, LIMITS).transient);
        let gone = StoreError::NotFound {
            path: "air/flights/x.parquet".into(),
            source: "none".into(),
        };
        assert_eq!(
            told(DataFusionError::from(gone)),
            ("MS0307", "the file `air/flights/x.parquet` is gone".into(), false)
        );
    }
}
