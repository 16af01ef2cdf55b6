//! From the errors of the layers below to what people see: one place decides kind and code.

use mainstay_api::{Error, ErrorKind};
use mainstay_control::{Refusal, RefusalKind};

pub(crate) fn journal(e: &mainstay_journal::Error) -> Error {
    use mainstay_journal::Kind;
    let (kind, code) = match e.kind() {
        Kind::Locked => (ErrorKind::Unavailable, "MS0601"),
        Kind::Fenced => (ErrorKind::Unavailable, "MS0602"),
        Kind::Missing => (ErrorKind::NotFound, "MS0603"),
        Kind::Damaged => (ErrorKind::Damaged, "MS0604"),
        Kind::Invalid => (ErrorKind::Invalid, "MS0605"),
        Kind::Forged => (ErrorKind::Damaged, "MS0606"),
        Kind::Unavailable => (ErrorKind::Unavailable, "MS0607"),
        Kind::Newer => (ErrorKind::Unavailable, "MS0608"),
    };
    let error = Error::new(kind, code, e.to_string());
    let error = match std::error::Error::source(e) {
        Some(cause) => error.because(cause),
        None => error,
    };
    match e.kind() {
        Kind::Locked => error.help("wait for it with --wait, or stop that process"),
        Kind::Damaged => {
            error.help("find out what is wrong with `mainstay journal verify`, and restore from a copy")
        }
        Kind::Newer => error.help("use the newer mainstay that wrote it"),
        _ => error,
    }
}

pub(crate) fn refusal(r: Refusal) -> Error {
    let kind = match r.kind {
        RefusalKind::NotFound => ErrorKind::NotFound,
        RefusalKind::OutOfDate => ErrorKind::OutOfDate,
        RefusalKind::Refused => ErrorKind::Refused,
        RefusalKind::Conflict => ErrorKind::Refused,
        RefusalKind::Invalid => ErrorKind::Invalid,
    };
    let error = Error::new(kind, r.code, r.message);
    match r.help {
        Some(help) => error.help(help),
        None => error,
    }
}

pub(crate) fn storage(e: &mainstay_storage::Error) -> Error {
    let error = Error::new(
        ErrorKind::Unavailable,
        "MS0701",
        "the store did not do what it was asked",
    )
    .because(e);
    match e.kind {
        mainstay_storage::Kind::Full => {
            error.help("make room on the disk, then repeat the command; nothing was lost")
        }
        mainstay_storage::Kind::Denied => {
            error.help("check the credentials in the environment (AWS_ACCESS_KEY_ID, …)")
        }
        _ => error.help("check that the store can be reached, then repeat the command"),
    }
}

/// Makes the error of a file operation in the home or the project.
pub(crate) fn file(what: &str, path: &std::path::Path, e: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "MS0702",
        format!("cannot {what} {}", path.display()),
    )
    .because(e)
}

/// Makes the error of something that the engine could not compute.
pub(crate) fn engine(e: &mainstay_engine::Error) -> Error {
    use mainstay_engine::Kind;
    let kind = match e.kind {
        Kind::Store => ErrorKind::Unavailable,
        Kind::Cancelled => ErrorKind::Interrupted,
        _ => ErrorKind::Failed,
    };
    let error = Error::new(kind, e.code, e.message.clone());
    match &e.help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// Makes the error of something that mainstay itself got wrong.
pub(crate) fn defect(what: &str, e: &dyn std::error::Error) -> Error {
    Error::new(
        ErrorKind::Failed,
        "MS0901",
        format!("mainstay itself failed to {what}"),
    )
    .because(e)
    .help("this is a defect; please report it with what you did")
}

pub(crate) fn catalog(name: &mainstay_model::DatasetName, e: &mainstay_catalog::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "MS0703",
        format!("the table of {name} could not be written"),
    )
    .because(e)
    .help("nothing is lost: what was published is recorded, and the next command finishes this")
}

/// Makes the error of a delivery that someone stopped.
pub(crate) fn stopped() -> Error {
    Error::new(
        ErrorKind::Interrupted,
        "MS0311",
        "it was stopped while files were being taken in",
    )
    .help("the source that it was at is as it was; the next run or deliver takes in the rest")
}

/// The code of a source's place that cannot be read.
pub(crate) const PLACE: &str = "MS0704";

pub(crate) fn place(name: &mainstay_model::DatasetName, e: &mainstay_storage::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        PLACE,
        format!("the place of source {name} cannot be read"),
    )
    .because(e)
    .help("check `files` of the source, and the credentials if it is a bucket")
}

pub(crate) fn intake(name: &mainstay_model::DatasetName, file: &str, e: &mainstay_ingest::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "MS0705",
        format!("{file} could not be taken in to {name}"),
    )
    .because(e)
    .help("nothing of this delivery was recorded; repeat the command when the store works again")
}
