//! A place where files are delivered: what is there, and its bytes.
//!
//! Owns which files are complete: hidden and temporary names are left out by the store, and a file that was changed within
//! the last 2 seconds must look the same twice, 200 ms apart. Pipes and devices are no files. Refuses to know which files are new.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_base::{Clock, Timestamp};
use mainstay_model::delivery::Observed;
use mainstay_model::spec::SourceSpec;
use mainstay_storage::{Error, Kind, Store, open_glob};

use crate::content::{Content, IN_MEMORY};

/// A file that was changed this recently, in microseconds, may still be being written.
const YOUNG: i64 = 2_000_000;
/// The time between two looks at young files.
const PAUSE: Duration = Duration::from_millis(200);

/// A place where a source's files are delivered.
#[derive(Clone, Debug)]
pub struct Watch {
    store: Store,
    pattern: String,
    project: PathBuf,
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file, relative to the project with `/` between folders, absolute if it is elsewhere, or its URL.
    pub file: String,
    /// What the place says of it.
    pub observed: Observed,
    path: String,
}

/// What came of fetching a file.
#[derive(Debug)]
pub enum Arrival {
    /// Its bytes, as observed.
    Complete(Content),
    /// It was changed or removed since it was observed: leave it for the next look.
    Unstable,
}

impl Watch {
    /// Opens the place of a source; nothing is read yet.
    ///
    /// # Errors
    ///
    /// As [`open_glob`]; [`Kind::NotFound`] if the folder is not there.
    pub fn open(source: &SourceSpec, project: &Path) -> Result<Self, Error> {
        let (store, pattern) = open_glob(&source.files, project)?;
        let project = std::path::absolute(project).unwrap_or_else(|_| project.to_owned());
        Ok(Self {
            store,
            pattern,
            project: project.canonicalize().unwrap_or(project),
        })
    }

    /// Lists the complete files, sorted by name. Waits 200 ms, once, if there are some that were just changed.
    ///
    /// # Errors
    ///
    /// As the store says.
    pub async fn observe(&self, clock: &dyn Clock) -> Result<Vec<Found>, Error> {
        let found = self.look().await?;
        let now = clock.now();
        let young = |modified: Timestamp| now.micros_since(modified) < YOUNG;
        if !found.iter().any(|f| young(f.observed.modified)) {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
        let again = self.look().await?;
        let settled = |f: &Found| !young(f.observed.modified) || again.contains(f);
        Ok(found.into_iter().filter(settled).collect())
    }

    async fn look(&self) -> Result<Vec<Found>, Error> {
        let listed = self.store.list(&self.pattern).await?;
        let found = listed
            .into_iter()
            .filter(|f| self.is_plain(&f.path))
            .map(|f| Found {
                file: self.name(&f.path, f.url),
                observed: Observed {
                    bytes: f.bytes,
                    modified: f.modified,
                    etag: f.etag,
                },
                path: f.path,
            });
        Ok(found.collect())
    }

    /// Says whether something listed can be read to an end: a pipe or a device in a folder cannot.
    fn is_plain(&self, path: &str) -> bool {
        self.store.local_root().is_none_or(|root| {
            // What is gone meanwhile is found to be when it is fetched.
            std::fs::metadata(root.join(path)).map_or(true, |m| m.is_file())
        })
    }

    fn name(&self, path: &str, url: String) -> String {
        let Some(root) = self.store.local_root() else {
            return url;
        };
        let whole = root.join(path);
        whole
            .strip_prefix(&self.project)
            .unwrap_or(&whole)
            .to_string_lossy()
            .into_owned()
    }

    /// Reads a file once: small ones into memory, large ones into a temporary file in the folder `scratch`.
    ///
    /// # Errors
    ///
    /// As the store says; [`Kind::Full`] if the copy does not fit.
    pub async fn fetch(&self, found: &Found, scratch: &Path) -> Result<Arrival, Error> {
        match self.read(found, scratch).await {
            Err(e) if e.kind == Kind::NotFound => Ok(Arrival::Unstable),
            other => other,
        }
    }

    async fn read(&self, found: &Found, scratch: &Path) -> Result<Arrival, Error> {
        let content = if found.observed.bytes.0 <= IN_MEMORY {
            Content::from_bytes(self.store.read(&found.path).await?)
        } else {
            Content::from_copy(self.store.fetch(&found.path, scratch).await?)
        };
        let after = self.store.head(&found.path).await?;
        let after = Observed {
            bytes: after.bytes,
            modified: after.modified,
            etag: after.etag,
        };
        let same = after == found.observed && content.length() == found.observed.bytes.0;
        Ok(if same {
            Arrival::Complete(content)
        } else {
            Arrival::Unstable
        })
    }
}
