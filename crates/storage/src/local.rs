//! A local folder in which small reads are done at once.
//!
//! `object_store` hands every read of a file to another thread, twice for one with a header. That costs more than the read
//! itself where files are small and many, as the slices of a dataset are. Here up to [`AT_ONCE`] bytes of a file are read
//! where they are asked for; everything else, every failure included, is left to `object_store`.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// The most that is read at once, in bytes: what a disk gives in the time that changing threads takes.
const AT_ONCE: u64 = 256 << 10;

#[derive(Clone, Debug)]
pub(crate) struct Local {
    files: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Local {
    pub(crate) fn new(root: PathBuf) -> Result<Self> {
        let files = Arc::new(LocalFileSystem::new_with_prefix(&root)?);
        Ok(Self { files, root })
    }

    fn open(&self, location: &Path) -> Option<File> {
        // `object_store` makes a URL of a path first. Without a character that means something else there, that is the same path.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '=');
        if location.as_ref().chars().all(plain) {
            File::open(self.root.join(location.as_ref())).ok()
        } else {
            File::open(self.files.path_to_filesystem(location).ok()?).ok()
        }
    }

    /// Reads ranges of a file; none if that is too much or fails.
    fn ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Option<Vec<Bytes>> {
        let all = ranges
            .iter()
            .try_fold(0_u64, |sum, r| sum.checked_add(r.end.checked_sub(r.start)?))?;
        if all > AT_ONCE {
            return None;
        }
        let file = self.open(location)?;
        ranges.iter().map(|range| read(&file, range)).collect()
    }

    /// Answers a request for a part of a file; none if it asks for more than that, or that is too much or fails.
    fn part(&self, location: &Path, options: &GetOptions) -> Option<GetResult> {
        let range = options.range.as_ref()?;
        let plain = GetOptions {
            range: Some(range.clone()),
            ..GetOptions::default()
        };
        let asks_more = options.head
            || options.version != plain.version
            || options.if_match.is_some()
            || options.if_none_match.is_some()
            || options.if_modified_since.is_some()
            || options.if_unmodified_since.is_some();
        if asks_more {
            return None;
        }
        let file = self.open(location)?;
        let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let size = metadata.len();
        let range = match range {
            GetRange::Bounded(wanted) => wanted.start..wanted.end.min(size),
            GetRange::Offset(from) => *from..size,
            GetRange::Suffix(last) => size.saturating_sub(*last)..size,
        };
        if range.start >= range.end || range.end - range.start > AT_ONCE {
            return None;
        }
        let bytes = read(&file, &range)?;
        Some(GetResult {
            payload: GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed()),
            meta: ObjectMeta {
                location: location.clone(),
                last_modified: metadata.modified().ok()?.into(),
                size,
                e_tag: None,
                version: None,
            },
            range,
            attributes: Attributes::default(),
        })
    }
}

fn read(file: &File, range: &Range<u64>) -> Option<Bytes> {
    let mut bytes = vec![0; usize::try_from(range.end.checked_sub(range.start)?).ok()?];
    file.read_exact_at(&mut bytes, range.start).ok()?;
    Some(bytes.into())
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Local {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.files.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.files.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.part(location, &options) {
            Some(part) => Ok(part),
            None => self.files.get_opts(location, options).await,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.ranges(location, ranges) {
            Some(bytes) => Ok(bytes),
            None => self.files.get_ranges(location, ranges).await,
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    fn both() -> (tempfile::TempDir, Local, Arc<LocalFileSystem>) {
        let dir = tempfile::tempdir().unwrap();
        let plain = Arc::new(LocalFileSystem::new_with_prefix(dir.path()).unwrap());
        std::fs::write(dir.path().join("small"), b"0123456789").unwrap();
        std::fs::write(dir.path().join("large"), vec![7; 300 << 10]).unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        std::fs::write(dir.path().join("a b#c%20.x"), b"odd").unwrap();
        let quick = Local::new(dir.path().to_owned()).unwrap();
        (dir, quick, plain)
    }

    async fn bytes(result: Result<GetResult>) -> std::result::Result<(Range<u64>, u64, Bytes), String> {
        let got = result.map_err(|e| e.to_string())?;
        let (range, size) = (got.range.clone(), got.meta.size);
        Ok((range, size, got.bytes().await.map_err(|e| e.to_string())?))
    }

    #[tokio::test]
    async fn parts_are_those_that_the_plain_store_gives() {
        let (_dir, quick, plain) = both();
        let ranges = [
            GetRange::Bounded(0..4),
            GetRange::Bounded(3..99),
            GetRange::Bounded(4..4),
            GetRange::Bounded(99..100),
            GetRange::Offset(8),
            GetRange::Offset(10),
            GetRange::Suffix(3),
            GetRange::Suffix(400 << 10),
            GetRange::Suffix(0),
        ];
        for file in [
            "small",
            "large",
            "folder",
            "none",
            "a b#c%20.x",
            "folder/../small",
            "/small",
        ] {
            let path = Path::from(file);
            for range in &ranges {
                let options = || GetOptions {
                    range: Some(range.clone()),
                    ..GetOptions::default()
                };
                let found = bytes(quick.get_opts(&path, options()).await).await;
                let expected = bytes(plain.get_opts(&path, options()).await).await;
                assert_eq!(found, expected, "{file} {range:?}");
            }
            let two = [1..3, 5..9];
            let found = quick.get_ranges(&path, &two).await.map_err(|e| e.to_string());
            let expected = plain.get_ranges(&path, &two).await.map_err(|e| e.to_string());
            assert_eq!(found, expected, "{file}");
        }
        let all = Range {
            start: 0,
            end: 300 << 10,
        };
        let large = quick.get_range(&Path::from("large"), all).await.unwrap();
        assert_eq!(large.len(), 300 << 10);
    }
}
