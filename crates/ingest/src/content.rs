//! The bytes of one delivered file, as they were read once, and the stream that unpacks them.
//!
//! Owns where the bytes are kept (memory, or a temporary file beyond a limit) and their compression by file name. Refuses
//! to know formats. Invariant: the hash is of exactly the bytes that are parsed later; the place is not read a second time.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;

use bytes::Bytes;
use mainstay_base::Hash;
use mainstay_storage::Fetched;
use tempfile::NamedTempFile;

/// Files up to this many bytes are kept in memory, larger ones in a temporary file.
pub(crate) const IN_MEMORY: u64 = 32 << 20;

/// What was delivered, byte for byte.
#[derive(Debug)]
pub struct Content {
    bytes: Body,
    hash: Hash,
    length: u64,
    stop: Option<Stopped>,
}

/// Says whether reading is to stop.
#[derive(Clone)]
struct Stopped(Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopped")
    }
}

/// The error of a reading that was stopped: nothing is said of the file by it.
#[derive(Debug, thiserror::Error)]
#[error("reading was stopped")]
pub(crate) struct WasStopped;

#[derive(Debug)]
enum Body {
    Memory(Bytes),
    Copied(NamedTempFile),
}

impl Content {
    /// Wraps bytes that are in memory already.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            hash: Hash::of(&bytes),
            length: bytes.len() as u64,
            bytes: Body::Memory(bytes),
            stop: None,
        }
    }

    /// Wraps a copy in a local file that nobody writes to any more; it goes away with the content.
    pub(crate) fn from_copy(copy: Fetched) -> Self {
        Self {
            hash: copy.content,
            length: copy.bytes.0,
            bytes: Body::Copied(copy.file),
            stop: None,
        }
    }

    /// Lets the reading of its text fail as soon as `stop` says so: looking at all of a large file takes long.
    #[must_use]
    pub fn until(mut self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.stop = Some(Stopped(Arc::new(stop)));
        self
    }

    /// Returns the BLAKE3 hash of the bytes.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Returns the number of bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn source(&self) -> io::Result<Source> {
        Ok(match &self.bytes {
            Body::Memory(bytes) => Source::Memory(bytes.clone()),
            Body::Copied(file) => Source::File(file.reopen()?),
        })
    }

    /// Opens the plain bytes behind the compression that the file's name tells.
    pub(crate) fn unpack(&self, name: &str) -> io::Result<Unpacked> {
        let raw: Box<dyn Read + Send> = match self.source()? {
            Source::Memory(bytes) => Box::new(Cursor::new(bytes)),
            Source::File(file) => Box::new(BufReader::with_capacity(1 << 18, file)),
        };
        let packing = Packing::of(name);
        let reader: Box<dyn Read + Send> = match packing {
            Packing::Plain => raw,
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(raw)),
            Packing::Zstd => Box::new(zstd::Decoder::new(raw)?),
        };
        Ok(Unpacked {
            reader,
            packing,
            buffer: vec![0; 1 << 18],
            start: 0,
            end: 0,
            stop: self.stop.clone(),
        })
    }
}

/// The bytes, for a reader that seeks.
#[derive(Debug)]
pub(crate) enum Source {
    Memory(Bytes),
    File(File),
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    pub(crate) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if name.ends_with(".gz") {
            Self::Gzip
        } else if name.ends_with(".zst") {
            Self::Zstd
        } else {
            Self::Plain
        }
    }

    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Plain => "file",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The plain bytes of a file, a buffer at a time.
pub(crate) struct Unpacked {
    reader: Box<dyn Read + Send>,
    pub(crate) packing: Packing,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    stop: Option<Stopped>,
}

impl Unpacked {
    /// Returns bytes not yet consumed, reading more if there are none; empty at the end.
    pub(crate) fn fill(&mut self) -> io::Result<&[u8]> {
        while self.start == self.end {
            if self.stop.as_ref().is_some_and(|stop| stop.0()) {
                return Err(io::Error::other(WasStopped));
            }
            match self.reader.read(&mut self.buffer) {
                Ok(n) => {
                    (self.start, self.end) = (0, n);
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }
}

impl Read for Unpacked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill()?.read(out)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Unpacked {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.fill()
    }

    fn consume(&mut self, n: usize) {
        Self::consume(self, n);
    }
}
