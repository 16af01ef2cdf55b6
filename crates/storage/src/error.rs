//! What can go wrong with a store, by what the caller does next.

use std::error::Error as StdError;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

/// What the caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing is there. Fix the place, or go on without.
    NotFound,
    /// Something is there already; for a conditional put: the race is lost.
    AlreadyExists,
    /// The store refuses these credentials, or the file system this user. Fix them.
    Denied,
    /// The store does not answer, or not in time. Try again later.
    Unreachable,
    /// The disk or the quota is full. Make room, then try again.
    Full,
    /// The location or the configuration makes no sense. Fix it.
    Invalid,
    /// The store does not have this operation. Use another store.
    Unsupported,
    /// Anything else: the store's own words say what.
    Other,
}

impl Kind {
    /// Says whether trying again later may help without anything being changed.
    pub const fn transient(self) -> bool {
        matches!(self, Self::Unreachable)
    }

    /// Returns the stable code, which has a page in the docs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "MS0711",
            Self::AlreadyExists => "MS0712",
            Self::Denied => "MS0713",
            Self::Unreachable => "MS0714",
            Self::Full => "MS0715",
            Self::Invalid => "MS0716",
            Self::Unsupported => "MS0717",
            Self::Other => "MS0718",
        }
    }

    /// Returns what to do about it, in words.
    pub const fn help(self) -> &'static str {
        match self {
            Self::NotFound => "check the path; a folder or bucket must exist before it can be read",
            Self::AlreadyExists => "something else wrote it first",
            Self::Denied => {
                "check the permissions of the folder, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
            }
            Self::Unreachable => "check the network and AWS_ENDPOINT_URL, then try again",
            Self::Full => "make room on the disk, then try again",
            Self::Invalid => "a location is a folder or s3://bucket/prefix",
            Self::Unsupported => {
                "this store cannot do that; use a local folder or a store with conditional puts"
            }
            Self::Other => "the text above is the store's own",
        }
    }
}

/// An operation on a store that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {place}: {}", reason(*.kind, .source.as_ref()))]
pub struct Error {
    /// What to do about it.
    pub kind: Kind,
    /// What was tried: `read`, `put`, `list`…
    pub operation: &'static str,
    /// On what: a path or URL.
    pub place: String,
    /// The cause in the words of the layer below.
    pub source: Box<dyn StdError + Send + Sync>,
}

/// The result of an operation on a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an error of the layer below, and finds its kind.
    pub fn new(
        operation: &'static str,
        place: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        Self {
            kind: classify(source.as_ref()),
            operation,
            place: place.into(),
            source,
        }
    }

    /// Makes an error about a location or configuration that makes no sense.
    pub fn invalid(operation: &'static str, place: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            kind: Kind::Invalid,
            operation,
            place: place.into(),
            source: why.into().into(),
        }
    }
}

/// Finds the kind of an error of the layer below by its chain of causes.
pub fn classify(error: &(dyn StdError + 'static)) -> Kind {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(kind) = classify_one(e) {
            return kind;
        }
        next = e.source();
    }
    // The client's own error for a server that keeps answering with 5xx has no type that can be named here, only words.
    if error.to_string().contains("status code: 5") {
        Kind::Unreachable
    } else {
        Kind::Other
    }
}

fn classify_one(e: &(dyn StdError + 'static)) -> Option<Kind> {
    use object_store::Error as Os;
    if let Some(ours) = e.downcast_ref::<Error>() {
        return Some(ours.kind);
    }
    if let Some(e) = e.downcast_ref::<Os>() {
        return match e {
            Os::NotFound { .. } => Some(Kind::NotFound),
            Os::AlreadyExists { .. } | Os::Precondition { .. } => Some(Kind::AlreadyExists),
            Os::PermissionDenied { .. } | Os::Unauthenticated { .. } => Some(Kind::Denied),
            Os::InvalidPath { .. } | Os::UnknownConfigurationKey { .. } => Some(Kind::Invalid),
            Os::NotSupported { .. } | Os::NotImplemented { .. } => Some(Kind::Unsupported),
            _ => None,
        };
    }
    if let Some(e) = e.downcast_ref::<HttpError>() {
        return match e.kind() {
            HttpErrorKind::Connect
            | HttpErrorKind::Timeout
            | HttpErrorKind::Interrupted
            | HttpErrorKind::Request => Some(Kind::Unreachable),
            _ => None,
        };
    }
    let io = e.downcast_ref::<io::Error>()?;
    match io.kind() {
        io::ErrorKind::NotFound => Some(Kind::NotFound),
        io::ErrorKind::AlreadyExists => Some(Kind::AlreadyExists),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(Kind::Denied),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some(Kind::Full)
        }
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::TimedOut => Some(Kind::Unreachable),
        _ => None,
    }
}

fn reason(kind: Kind, source: &(dyn StdError + Send + Sync + 'static)) -> String {
    match kind {
        Kind::NotFound => "nothing is there".to_owned(),
        Kind::AlreadyExists => "it is there already".to_owned(),
        Kind::Denied => "permission denied".to_owned(),
        Kind::Unreachable => "the store does not answer".to_owned(),
        Kind::Full => "no space left".to_owned(),
        Kind::Invalid | Kind::Unsupported | Kind::Other => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_recognised_below_any_wrapping() {
        let inner = io::Error::from_raw_os_error(28);
        let wrapped = object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(inner),
        };
        let e = Error::new("put", "air/x.parquet", wrapped);
        assert_eq!(e.kind, Kind::Full);
        assert_eq!(e.to_string(), "cannot put air/x.parquet: no space left");
    }

    #[test]
    fn what_is_not_known_keeps_its_words() {
        let e = Error::new("read", "x", io::Error::other("strange noise"));
        assert_eq!(
            (e.kind, e.to_string().as_str()),
            (Kind::Other, "cannot read x: strange noise")
        );
    }
}
