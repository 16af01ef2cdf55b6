//! A store that counts the bytes fetched from it, one counter per input dataset.
//!
//! Knows nothing of tables; passes everything through. A small file whose footer is wanted comes whole, so its columns, which are
//! wanted next, are taken from what came instead of being fetched again. Files of a run never change.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// What is kept at most: so many beginnings of files, none longer than so many bytes.
const KEPT: (usize, usize) = (16, 64 << 10);

/// Counts the bytes that are read through it.
#[derive(Debug)]
pub(crate) struct CountedStore {
    inner: Arc<dyn ObjectStore>,
    fetched: Arc<AtomicU64>,
    /// Of files that came from their first byte on and were not asked for since: how they begin, the oldest first.
    begun: Mutex<VecDeque<(Path, Bytes)>>,
}

impl CountedStore {
    /// Wraps a store; `fetched` goes up with every byte that is asked for.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fetched: Arc<AtomicU64>) -> Self {
        Self {
            inner,
            fetched,
            begun: Mutex::default(),
        }
    }

    fn count(&self, bytes: u64) {
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes ranges from what has come of a file already, once; none if they are not in it.
    fn taken(&self, location: &Path, ranges: &[Range<u64>]) -> Option<Vec<Bytes>> {
        let begin = {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            let at = begun.iter().position(|(path, _)| path == location)?;
            begun.remove(at)?.1
        };
        let part = |range: &Range<u64>| {
            let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
            (range.start <= range.end && range.end <= begin.len()).then(|| begin.slice(range))
        };
        ranges.iter().map(part).collect()
    }

    /// Keeps what has come of a file if it is its beginning.
    fn keep(&self, location: &Path, ranges: &[Range<u64>], found: &[Bytes]) {
        if let ([range], [bytes]) = (ranges, found)
            && range.start == 0
            && bytes.len() <= KEPT.1
        {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            if begun.len() >= KEPT.0 {
                begun.pop_front();
            }
            begun.push_back((location.clone(), bytes.clone()));
        }
    }
}

impl fmt::Display for CountedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for CountedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let result = self.inner.get_opts(location, options).await?;
        if !head {
            self.count(result.range.end.saturating_sub(result.range.start));
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some(taken) = self.taken(location, ranges) {
            return Ok(taken);
        }
        let found = self.inner.get_ranges(location, ranges).await?;
        self.count(found.iter().map(|b| b.len() as u64).sum());
        self.keep(location, ranges, &found);
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn what_came_with_the_footer_is_not_fetched_again() {
        let inner = Arc::new(InMemory::new());
        let (small, large) = (Path::from("small"), Path::from("large"));
        inner.put(&small, vec![1, 2, 3, 4, 5, 6].into()).await.unwrap();
        inner.put(&large, vec![7; KEPT.1 + 1].into()).await.unwrap();
        let fetched = Arc::new(AtomicU64::new(0));
        let store = CountedStore::new(inner, Arc::clone(&fetched));
        let so_far = || fetched.load(Ordering::Relaxed);

        let whole = 0..6;
        store
            .get_ranges(&small, std::slice::from_ref(&whole))
            .await
            .unwrap();
        assert_eq!(so_far(), 6);
        let parts = store.get_ranges(&small, &[1..3, 4..6]).await.unwrap();
        assert_eq!((&parts[0][..], &parts[1][..]), (&[2, 3][..], &[5, 6][..]));
        assert_eq!(so_far(), 6, "both had come");
        store.get_ranges(&small, &[1..3, 4..6]).await.unwrap();
        assert_eq!(so_far(), 10, "it is kept for one time");

        store.get_ranges(&small, &[1..4, 2..3]).await.unwrap();
        store.get_ranges(&small, &[1..4, 2..3]).await.unwrap();
        assert_eq!(so_far(), 18, "parts are not kept");

        let whole = 0..KEPT.1 as u64 + 1;
        store
            .get_ranges(&large, std::slice::from_ref(&whole))
            .await
            .unwrap();
        store.get_ranges(&large, &[0..1, 5..6]).await.unwrap();
        assert_eq!(so_far(), 18 + KEPT.1 as u64 + 1 + 2, "a large one is not kept");
    }
}
