//! Finding objects by a glob.

use futures::TryStreamExt;
use globset::{GlobBuilder, GlobMatcher};
use mainstay_base::{Bytes, Timestamp};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore};

use crate::error::{Error, Result};
use crate::location::split_glob;
use crate::store::Store;

/// What files that are still being written are named like.
const UNFINISHED: [&str; 3] = [".tmp", ".part", ".crdownload"];

/// An object, as its store describes it without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path within the store.
    pub path: String,
    /// The same as a URL.
    pub url: String,
    /// Its size.
    pub bytes: Bytes,
    /// When it was last changed.
    pub modified: Timestamp,
    /// The store's tag of its content, where it has one.
    pub etag: Option<String>,
}

impl Store {
    /// Lists the objects that match a glob, sorted by path. `*` stays within a folder, `**` goes below. Left out are objects
    /// and folders that begin with `.` or `_`, unless the fixed part of the pattern names them, and those that end in `.tmp`,
    /// `.part` or `.crdownload`.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`](crate::Kind::Invalid) for a bad pattern, otherwise as the store says. A folder that does not exist is
    /// empty.
    pub async fn list(&self, pattern: &str) -> Result<Vec<Found>> {
        let fail = |e| Error::new("list", self.place(pattern), e);
        let (fixed, rest) = split_glob(pattern);
        let matcher = glob(&rest).map_err(|e| Error::invalid("list", self.place(pattern), e.to_string()))?;
        let prefix = ObjectPath::parse(fixed.trim_matches('/'))
            .map_err(|e| Error::new("list", self.place(pattern), e))?;
        let prefix = Some(&prefix).filter(|p| !p.as_ref().is_empty());
        let store = self.object_store();
        let objects: Vec<ObjectMeta> = if rest.contains('/') || rest.contains("**") {
            store.list(prefix).try_collect().await.map_err(fail)?
        } else {
            store.list_with_delimiter(prefix).await.map_err(fail)?.objects
        };
        let skip = prefix.map_or(0, |p| p.as_ref().len() + 1);
        let wanted = |o: &ObjectMeta| {
            o.location
                .as_ref()
                .get(skip..)
                .is_some_and(|inner| is_finished(inner) && matcher.is_match(inner))
        };
        let mut found: Vec<Found> = objects
            .into_iter()
            .filter(wanted)
            .map(|o| self.found(o))
            .collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    pub(crate) fn found(&self, object: ObjectMeta) -> Found {
        let path = object.location.as_ref().to_owned();
        Found {
            url: self.place(&path),
            path,
            bytes: Bytes(object.size),
            modified: Timestamp::from_micros(object.last_modified.timestamp_micros()),
            etag: object.e_tag,
        }
    }
}

pub(crate) fn glob(pattern: &str) -> std::result::Result<GlobMatcher, globset::Error> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|g| g.compile_matcher())
}

/// Says whether a path is of a file that is there to be read: neither hidden nor half-written.
fn is_finished(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    !path.split('/').any(|s| s.starts_with(['.', '_'])) && !UNFINISHED.iter().any(|end| lower.ends_with(end))
}

#[cfg(test)]
mod tests {
    async fn listed(names: &[&str], pattern: &str) -> Vec<String> {
        let store = crate::open("memory:", std::path::Path::new("/")).expect("a store");
        for name in names {
            store.put(name, "x".into()).await.expect("a put");
        }
        store
            .list(pattern)
            .await
            .expect("a list")
            .into_iter()
            .map(|f| f.path)
            .collect()
    }

    #[tokio::test]
    async fn hidden_and_unfinished_files_are_left_out() {
        let names = [
            "b.csv",
            "a.csv",
            ".c.csv",
            "_d.csv",
            "e.csv.tmp",
            "f.CSV.part",
            "g/h.csv",
            "g/_i/j.csv",
            "k.csv.crdownload",
        ];
        assert_eq!(listed(&names, "*.csv").await, ["a.csv", "b.csv"]);
        assert_eq!(listed(&names, "**").await, ["a.csv", "b.csv", "g/h.csv"]);
        assert_eq!(listed(&names, "**/*.csv").await, ["a.csv", "b.csv", "g/h.csv"]);
        assert_eq!(listed(&names, "*").await, ["a.csv", "b.csv"]);
        assert_eq!(listed(&names, "g/*.csv").await, ["g/h.csv"]);
        assert_eq!(listed(&names, "g/_i/*.csv").await, ["g/_i/j.csv"]);
        assert_eq!(listed(&names, "{a,b}.csv").await, ["a.csv", "b.csv"]);
        assert_eq!(listed(&names, "none/*.csv").await, [""; 0]);
    }

    #[tokio::test]
    async fn a_bad_pattern_is_refused() {
        let store = crate::open("memory:", std::path::Path::new("/")).expect("a store");
        assert_eq!(
            store.list("a[.csv").await.expect_err("no").kind,
            crate::Kind::Invalid
        );
    }
}
