//! The wrapper around every store: it counts, and lets faults strike. It changes nothing else.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

use crate::fault::{Pending, Plan};
use crate::traffic::Meter;

#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) inner: Arc<dyn ObjectStore>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) faults: Option<Arc<Plan>>,
    /// How long the answer to a request without a body may take; none for a local folder.
    pub(crate) patience: Option<Duration>,
    /// Whether the store lists in any order.
    pub(crate) unordered: bool,
}

impl Watched {
    /// Waits for an answer to a request that carries `bytes`, for at most the store's patience and a second per megabyte.
    async fn answer<T>(&self, bytes: u64, request: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(patience) = self.patience else {
            return request.await;
        };
        let limit = patience + Duration::from_millis(bytes / 1000);
        tokio::time::timeout(limit, request).await.unwrap_or_else(|_| {
            let source = Box::new(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {limit:?}"),
            ));
            Err(object_store::Error::Generic {
                store: "remote",
                source,
            })
        })
    }

    async fn before(&self, operation: &str, path: &Path) -> Result<Pending> {
        self.meter.request();
        match &self.faults {
            Some(plan) => plan.before(operation, path.as_ref()).await,
            None => Ok(Pending::default()),
        }
    }

    /// Lets the faults of a listing strike before its first entry, and puts the entries in the order of their names, as
    /// servers do and libraries rely on.
    fn guarded(
        &self,
        prefix: Option<&Path>,
        entries: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let start = async move {
            this.before("list", &prefix).await?;
            if !this.unordered {
                return Ok::<_, object_store::Error>(entries);
            }
            let mut all: Vec<ObjectMeta> = entries.try_collect().await?;
            all.sort_unstable_by(|a, b| a.location.cmp(&b.location));
            Ok(stream::iter(all.into_iter().map(Ok)).boxed())
        };
        start.into_stream().try_flatten().boxed()
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let pending = self.before("put", location).await?;
        let bytes = payload.content_length() as u64;
        let done = self
            .answer(bytes, self.inner.put_opts(location, payload, opts))
            .await?;
        self.meter.written(bytes);
        pending.after(location.as_ref()).await?;
        Ok(done)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.meter.request();
        let inner = self
            .answer(0, self.inner.put_multipart_opts(location, opts))
            .await?;
        Ok(Box::new(WatchedUpload {
            inner,
            store: self.clone(),
            location: location.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let pending = self.before(if head { "head" } else { "get" }, location).await?;
        let got = self.answer(0, self.inner.get_opts(location, options)).await?;
        if !head {
            self.meter.read(got.range.end.saturating_sub(got.range.start));
        }
        pending.after(location.as_ref()).await?;
        Ok(got)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let pending = self.before("get", location).await?;
        let bytes = ranges.iter().map(|r| r.end.saturating_sub(r.start)).sum();
        let got = self
            .answer(bytes, self.inner.get_ranges(location, ranges))
            .await?;
        self.meter.read(got.iter().map(|b| b.len() as u64).sum());
        pending.after(location.as_ref()).await?;
        Ok(got)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let checked = locations.and_then(move |path| {
            let this = this.clone();
            async move { this.before("delete", &path).await.map(|_| path) }
        });
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.guarded(prefix, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.guarded(prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.before("list", prefix.unwrap_or(&Path::default())).await?;
        self.answer(0, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let pending = self.before("put", to).await?;
        self.inner.copy_opts(from, to, options).await?;
        pending.after(to.as_ref()).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let pending = self.before("put", to).await?;
        self.inner.rename_opts(from, to, options).await?;
        pending.after(to.as_ref()).await
    }
}

#[derive(Debug)]
struct WatchedUpload {
    inner: Box<dyn MultipartUpload>,
    store: Watched,
    location: Path,
}

#[async_trait]
impl MultipartUpload for WatchedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let bytes = data.content_length() as u64;
        let part = self.inner.put_part(data);
        let (store, location) = (self.store.clone(), self.location.clone());
        async move {
            let pending = store.before("put", &location).await?;
            store.answer(bytes, part).await?;
            store.meter.written(bytes);
            pending.after(location.as_ref()).await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let pending = self.store.before("put", &self.location).await?;
        let done = self.inner.complete().await?;
        pending.after(self.location.as_ref()).await?;
        Ok(done)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
