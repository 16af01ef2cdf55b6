//! The handle of a store: a root, and what can be done below it.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write as _;
use std::path::{Path as FsPath, PathBuf};
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use mainstay_base::hash::ContentHasher;
use mainstay_base::{Bytes as ByteCount, Hash};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tempfile::NamedTempFile;
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::fault::{self, Plan};
use crate::listing::Found;
use crate::traffic::{Meter, Traffic};
use crate::watched::Watched;

/// How long a server may take to begin its answer, tries included.
const PATIENCE: Duration = Duration::from_secs(10);

/// A store, opened at a root; paths count from there and have `/` between segments. Clones share counters.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    object_store: Arc<dyn ObjectStore>,
    meter: Arc<Meter>,
    url: Url,
    local: Option<PathBuf>,
    conditional_put: AtomicU8,
    /// Local folders of which this process knows that a power cut leaves them where they are.
    durable: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.0.url)
    }
}

/// An object that was copied to a local file.
#[derive(Debug)]
pub struct Fetched {
    /// The copy; it goes away with this handle.
    pub file: NamedTempFile,
    /// The BLAKE3 hash of its bytes.
    pub content: Hash,
    /// Its size.
    pub bytes: ByteCount,
}

impl Store {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, url: Url, local: Option<PathBuf>) -> Result<Self> {
        let faults =
            fault::from_environment().map_err(|e| Error::invalid("open", fault::VARIABLE, e.to_string()))?;
        Ok(Self::assemble(inner, url, local, faults))
    }

    fn assemble(
        inner: Arc<dyn ObjectStore>,
        url: Url,
        local: Option<PathBuf>,
        faults: Option<Arc<Plan>>,
    ) -> Self {
        let meter = Arc::new(Meter::default());
        let patience = url.scheme().starts_with("s3").then_some(PATIENCE);
        let object_store = Arc::new(Watched {
            inner,
            meter: meter.clone(),
            faults,
            patience,
            unordered: local.is_some(),
        });
        Self(Arc::new(Inner {
            object_store,
            meter,
            url,
            local,
            conditional_put: AtomicU8::new(0),
            durable: Arc::default(),
        }))
    }

    /// Returns a handle of the same store on which the faults of `plan` strike; for tests.
    #[must_use]
    pub fn with_faults(&self, plan: Plan) -> Self {
        let (url, local) = (self.0.url.clone(), self.0.local.clone());
        Self::assemble(self.0.object_store.clone(), url, local, Some(Arc::new(plan)))
    }

    /// Returns the URL of the root; it ends in `/`.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Returns the root's folder, if the store is one.
    pub fn local_root(&self) -> Option<&FsPath> {
        self.0.local.as_deref()
    }

    /// Returns the store for libraries that read and write it themselves; its paths count from the root, its use is counted.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        self.0.object_store.clone()
    }

    /// Returns what was asked through this handle and its clones.
    pub fn traffic(&self) -> Traffic {
        self.0.meter.so_far()
    }

    /// Returns a path as people see it: with the root before it.
    pub fn place(&self, path: &str) -> String {
        match &self.0.local {
            Some(root) => root.join(path).display().to_string(),
            None => format!("{}{path}", self.0.url),
        }
    }

    pub(crate) fn conditional_put_cell(&self) -> &AtomicU8 {
        &self.0.conditional_put
    }

    /// Describes an object without reading it.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if it is not there, otherwise as the store says.
    pub async fn head(&self, path: &str) -> Result<Found> {
        let at = self.path("describe", path)?;
        let meta = self
            .0
            .object_store
            .head(&at)
            .await
            .map_err(|e| self.fail("describe", path, e))?;
        Ok(self.found(meta))
    }

    /// Reads an object whole.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if it is not there, otherwise as the store says.
    pub async fn read(&self, path: &str) -> Result<Bytes> {
        let at = self.path("read", path)?;
        let got = self
            .0
            .object_store
            .get(&at)
            .await
            .map_err(|e| self.fail("read", path, e))?;
        got.bytes().await.map_err(|e| self.fail("read", path, e))
    }

    /// Copies an object to a new file in the local folder `into`, hashing it on the way.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if it is not there, [`Kind::Full`] if the copy does not fit, otherwise as the store says.
    pub async fn fetch(&self, path: &str, into: &FsPath) -> Result<Fetched> {
        let at = self.path("read", path)?;
        let got = self
            .0
            .object_store
            .get(&at)
            .await
            .map_err(|e| self.fail("read", path, e))?;
        let keep = |e| Error::new("copy to the disk", self.place(path), e);
        let mut file = NamedTempFile::new_in(into).map_err(keep)?;
        let (mut hasher, mut bytes) = (ContentHasher::default(), 0);
        let mut pieces = got.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|e| self.fail("read", path, e))?;
            hasher.update(&piece);
            bytes += piece.len() as u64;
            file.write_all(&piece).map_err(keep)?;
        }
        file.flush().map_err(keep)?;
        Ok(Fetched {
            file,
            content: hasher.finish(),
            bytes: ByteCount(bytes),
        })
    }

    /// Writes an object, in place of what was there.
    ///
    /// # Errors
    ///
    /// [`Kind::Full`] if it does not fit, otherwise as the store says; then it may or may not be there, but never half.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let at = self.path("write", path)?;
        self.0
            .object_store
            .put(&at, bytes.into())
            .await
            .map_err(|e| self.fail("write", path, e))?;
        Ok(())
    }

    /// Writes an object if nothing is there; false if something is. One of any number of racing writers wins, if the store
    /// keeps its promise ([`Store::probe_conditional_put`]).
    ///
    /// # Errors
    ///
    /// As the store says; then it may or may not be there. After a lost answer the client's own second try may find its
    /// first: a caller to whom false matters reads what is there and compares.
    pub async fn put_if_absent(&self, path: &str, bytes: Bytes) -> Result<bool> {
        let at = self.path("write", path)?;
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self
            .0
            .object_store
            .put_opts(&at, PutPayload::from(bytes), options)
            .await
        {
            Ok(_) => Ok(true),
            Err(e) => {
                let e = self.fail("write", path, e);
                if e.kind == Kind::AlreadyExists {
                    Ok(false)
                } else {
                    Err(e)
                }
            }
        }
    }

    /// Removes an object; nothing happens if it is not there.
    ///
    /// # Errors
    ///
    /// As the store says.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let at = self.path("remove", path)?;
        match self
            .0
            .object_store
            .delete(&at)
            .await
            .map_err(|e| self.fail("remove", path, e))
        {
            Err(e) if e.kind != Kind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Copies an object within the store, on the server; in a local folder both names mean the same bytes on the disk, which nobody
    /// ever changes.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if it is not there, otherwise as the store says.
    pub async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let (source, target) = (self.path("copy", from)?, self.path("copy", to)?);
        let copied = self.0.object_store.copy(&source, &target).await;
        copied.map_err(|e| self.fail("copy", from, e))
    }

    /// Copies an object into another store, hashing it on the way; there it is seen whole or not at all, in place of what was there.
    /// Returns the hash of its bytes and its size.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if it is not there, otherwise as the store that failed says.
    pub async fn copy_to(&self, path: &str, other: &Self, to: &str) -> Result<(Hash, ByteCount)> {
        let (from, at) = (self.path("read", path)?, other.path("write", to)?);
        let got = self.0.object_store.get(&from).await;
        let got = got.map_err(|e| self.fail("read", path, e))?;
        let (mut hasher, mut bytes) = (ContentHasher::default(), 0);
        let written = |e| other.fail("write", to, e);
        let small = got.meta.size <= PIECE;
        let mut pieces = got.into_stream();
        let mut upload = None;
        let mut ready = Vec::new();
        loop {
            let piece = match pieces.next().await {
                Some(Ok(piece)) => piece,
                Some(Err(e)) => {
                    abort(upload).await;
                    return Err(self.fail("read", path, e));
                }
                None => break,
            };
            hasher.update(&piece);
            bytes += piece.len() as u64;
            ready.extend_from_slice(&piece);
            if small || (ready.len() as u64) < PIECE {
                continue;
            }
            let mut parts: Box<dyn MultipartUpload> = match upload.take() {
                Some(parts) => parts,
                None => other.0.object_store.put_multipart(&at).await.map_err(written)?,
            };
            let sent = parts.put_part(std::mem::take(&mut ready).into()).await;
            upload = Some(parts);
            if let Err(e) = sent {
                abort(upload).await;
                return Err(written(e));
            }
        }
        match upload {
            None => {
                let put = other.0.object_store.put(&at, ready.into()).await;
                put.map_err(written)?;
            }
            Some(mut parts) => {
                let done = async {
                    if !ready.is_empty() {
                        parts.put_part(std::mem::take(&mut ready).into()).await?;
                    }
                    parts.complete().await
                };
                if let Err(e) = done.await {
                    abort(Some(parts)).await;
                    return Err(written(e));
                }
            }
        }
        Ok((hasher.finish(), ByteCount(bytes)))
    }

    /// Removes everything below a folder, what a killed process left half-written too, and the folder. Returns how many
    /// objects that were; 0 if there is no such folder.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] for the root itself, otherwise as the store says; then some may be gone. Doing it again is safe.
    pub async fn delete_prefix(&self, path: &str) -> Result<u64> {
        let at = self.path("remove", path)?;
        if at.as_ref().is_empty() {
            return Err(Error::invalid(
                "remove",
                self.place(path),
                "the root of a store is never removed",
            ));
        }
        let store = &self.0.object_store;
        let there: Vec<Path> = store
            .list(Some(&at))
            .map_ok(|o| o.location)
            .try_collect()
            .await
            .map_err(|e| self.fail("remove", path, e))?;
        let count = there.len() as u64;
        let paths = futures::stream::iter(there.into_iter().map(Ok)).boxed();
        let mut gone = store.delete_stream(paths);
        while let Some(result) = gone.next().await {
            match result.map_err(|e| self.fail("remove", path, e)) {
                Err(e) if e.kind != Kind::NotFound => return Err(e),
                _ => {}
            }
        }
        if let Some(root) = &self.0.local {
            let folder = root.join(at.as_ref());
            self.forget_durable(&folder);
            match tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await {
                Ok(Err(e)) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(self.fail("remove", path, e));
                }
                _ => {}
            }
        }
        Ok(count)
    }

    /// Lists the folders directly in a folder, sorted, without their parents' names.
    ///
    /// # Errors
    ///
    /// As the store says. A folder that does not exist is empty.
    pub async fn folders(&self, path: &str) -> Result<Vec<String>> {
        let at = self.path("list", path)?;
        let prefix = Some(&at).filter(|p| !p.as_ref().is_empty());
        let listed = self
            .0
            .object_store
            .list_with_delimiter(prefix)
            .await
            .map_err(|e| self.fail("list", path, e))?;
        let mut names: Vec<String> = listed
            .common_prefixes
            .iter()
            .filter_map(|p| p.filename().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Makes sure that objects that were written survive a power cut. Servers promise that with their answer; in a local
    /// folder the files and the folders that hold them are synced.
    ///
    /// # Errors
    ///
    /// As the file system says; then nothing may be built upon them.
    pub async fn persist(&self, paths: &[String]) -> Result<()> {
        let Some(root) = self.0.local.clone() else {
            return Ok(());
        };
        let files: Vec<PathBuf> = paths.iter().map(|p| root.join(p)).collect();
        let failed = |e: std::io::Error| {
            let place = paths.first().map_or_else(String::new, |p| self.place(p));
            Error::new("sync", place, e)
        };
        let (all, placed) = self.to_sync(&root, files);
        sync_each(all).await.map_err(failed)?;
        let mut known = self.0.durable.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(placed);
        Ok(())
    }

    /// Returns the files, the folders that hold them, and every folder above of which it is not known that it is in its place for
    /// good, each once; and those folders of which that is known when they are synced. In no order: nothing refers to any of them
    /// before all are there.
    fn to_sync(&self, root: &FsPath, files: Vec<PathBuf>) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
        let known = self.0.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut all, mut placed) = (BTreeSet::new(), BTreeSet::new());
        for file in files {
            // What a folder holds is synced with the folder, and where it is itself with the one above.
            for folder in file.ancestors().skip(1).take_while(|a| a.starts_with(root)) {
                all.insert(folder.to_owned());
                if known.contains(folder) || !placed.insert(folder.to_owned()) {
                    break;
                }
            }
            all.insert(file);
        }
        (all, placed)
    }

    /// What is removed and made again has to be made durable again.
    fn forget_durable(&self, folder: &FsPath) {
        let mut durable = self.0.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.retain(|known| !known.starts_with(folder));
    }

    fn path(&self, operation: &'static str, path: &str) -> Result<Path> {
        Path::parse(path.trim_matches('/')).map_err(|e| Error::new(operation, self.place(path), e))
    }

    fn fail(
        &self,
        operation: &'static str,
        path: &str,
        e: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::new(operation, self.place(path), e)
    }
}

/// The size of the pieces in which large objects are written elsewhere.
const PIECE: u64 = 8 << 20;

/// Gives up an upload; what stays of it is seen by nobody.
async fn abort(upload: Option<Box<dyn MultipartUpload>>) {
    if let Some(mut parts) = upload {
        let _ = parts.abort().await;
    }
}

/// How many files are synced at the same time.
const SYNCED_AT_ONCE: usize = 16;

/// Syncs files or folders, many at a time: one after the other, each waits for a commit of the file system's own journal; together,
/// many are in one.
async fn sync_each(paths: BTreeSet<PathBuf>) -> std::io::Result<()> {
    let paths: Arc<[PathBuf]> = paths.into_iter().collect();
    let lanes = paths.len().min(SYNCED_AT_ONCE);
    let lane = |first: usize| {
        let paths = Arc::clone(&paths);
        tokio::task::spawn_blocking(move || {
            let mut own = paths.iter().skip(first).step_by(lanes);
            own.try_for_each(|path| std::fs::File::open(path)?.sync_all())
        })
    };
    // All are waited for, whatever becomes of one of them.
    let lanes: Vec<_> = (0..lanes).map(lane).collect();
    let mut all = Ok(());
    for lane in lanes {
        all = all.and(lane.await.unwrap_or_else(|e| Err(std::io::Error::other(e))));
    }
    all
}
