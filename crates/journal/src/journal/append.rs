//! Appending: records are encoded and hashed in chunks, by a thread of their own where there are many, while the chunks
//! before are on their way into the store.
//!
//! The thread owns nothing but the records that it was given; it begins with the first large append and ends with the
//! journal's handle.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use mainstay_base::{Hash, Timestamp};

use super::{Head, Journal, Receipt, check};
use crate::entropy::Entropy;
use crate::error::{Error, Kind};
use crate::frame::Frame;
use crate::merkle::{Edge, Tile, leaf, sha256};
use crate::record::{Draft, SALT, check_size, encode};
use crate::store::{Batch, BatchEnd, Chunk};

/// Records in a chunk.
const CHUNK: usize = 64;
/// Bytes of a record besides its body and its subject, roughly.
const OTHER_BYTES: usize = 160;
/// Chunks that may wait for the store.
const WAITING: usize = 16;
/// With fewer records, handing them to the thread costs more than it saves.
const FEW: usize = 32;

impl Journal {
    pub(super) fn write(
        &mut self,
        drafts: Vec<Draft>,
        state_digest: Option<Hash>,
        erases: Option<u64>,
    ) -> Result<Receipt, Error> {
        let epoch = self.writer()?;
        let count = u32::try_from(drafts.len());
        let count = count.map_err(|_| Error::invalid("there are too many records for one frame"))?;
        let time = drafts.iter().map(|draft| draft.time).max();
        let time = time.ok_or_else(|| Error::invalid("there is nothing to append"))?;
        drafts.iter().try_for_each(check_size)?;
        let first_seq = self.head.last_seq + 1;
        let job = Job {
            seq: self.head.last_seq + 1,
            drafts: drafts.into_iter(),
            erases,
            entropy: self.entropy,
            edge: self.edge.clone(),
            tiles: Vec::new(),
        };
        let source = if count as usize > FEW {
            let worker = match self.worker.take() {
                Some(worker) => worker,
                None => Worker::start()?,
            };
            Source::Worker(self.worker.insert(worker).give(job)?)
        } else {
            Source::Here(job)
        };
        let mut work = Work {
            source,
            edge: None,
            tiles: Vec::new(),
            head: self.head,
            count,
            time,
            state_digest,
            erases,
            frame_hash: None,
        };
        let appended = self.store.append(epoch, &mut work);
        self.unless_failed(appended)?;
        let (Some(edge), Some(frame_hash)) = (work.edge, work.frame_hash) else {
            return self.unless_failed(Err(Error::new(
                Kind::Unavailable,
                "the store did not take the whole frame",
            )));
        };
        let (last_seq, frame) = (edge.size(), self.head.frame + 1);
        self.edge = edge;
        self.head = Head {
            last_seq,
            frame,
            frame_hash,
            epoch,
        };
        Ok(Receipt {
            first_seq,
            last_seq,
            frame,
            frame_hash,
        })
    }
}

/// What the store takes its rows from.
#[derive(Debug)]
struct Work {
    source: Source,
    /// The tree's edge with the new records, once all are hashed.
    edge: Option<Edge>,
    tiles: Vec<Tile>,
    head: Head,
    count: u32,
    time: Timestamp,
    state_digest: Option<Hash>,
    erases: Option<u64>,
    frame_hash: Option<Hash>,
}

#[derive(Debug)]
enum Source {
    Here(Job),
    Worker(Receiver<Part>),
}

impl Batch for Work {
    fn chunk(&mut self) -> Result<Chunk, Error> {
        let part = match &mut self.source {
            Source::Here(run) => run.next(),
            Source::Worker(parts) => parts.recv().map_err(|_| lost())?,
        };
        match part {
            Part::Chunk(chunk) => Ok(chunk),
            Part::End(edge, tiles) => {
                (self.edge, self.tiles) = (Some(edge), tiles);
                Ok(Chunk::default())
            }
            Part::Failed(e) => Err(e),
        }
    }

    fn end(&mut self) -> Result<BatchEnd, Error> {
        let Some(edge) = &self.edge else {
            return Err(Error::invalid("the end of a frame was asked for too early"));
        };
        let frame = Frame {
            number: self.head.frame + 1,
            epoch: self.head.epoch,
            first_seq: self.head.last_seq + 1,
            count: self.count,
            time: self.time,
            root: edge.root(),
            previous: self.head.frame_hash,
            state_digest: self.state_digest,
        };
        let erase = self.erases.map(|target| (target, frame.first_seq));
        let frame = frame.encode();
        self.frame_hash = Some(frame.hash);
        Ok(BatchEnd {
            frame,
            tiles: std::mem::take(&mut self.tiles),
            erase,
        })
    }
}

/// Records to be encoded and hashed.
#[derive(Debug)]
struct Job {
    /// The number of the next record.
    seq: u64,
    drafts: std::vec::IntoIter<Draft>,
    erases: Option<u64>,
    entropy: Entropy,
    edge: Edge,
    tiles: Vec<Tile>,
}

/// What comes of it: chunks, then the end.
#[derive(Debug)]
enum Part {
    Chunk(Chunk),
    End(Edge, Vec<Tile>),
    Failed(Error),
}

impl Job {
    /// Returns the next chunk, or the end.
    fn next(&mut self) -> Part {
        if self.drafts.len() == 0 {
            return Part::End(std::mem::take(&mut self.edge), std::mem::take(&mut self.tiles));
        }
        self.encode().map_or_else(Part::Failed, Part::Chunk)
    }

    fn encode(&mut self) -> Result<Chunk, Error> {
        let count = self.drafts.len().min(CHUNK);
        let salts = self.entropy.salts(self.seq, count)?;
        let drafts = self.drafts.as_slice().iter().take(count);
        let bodies: usize = drafts.map(|draft| draft.body.len() + draft.subject.len()).sum();
        let mut chunk = Chunk::with_capacity(count, bodies + count * OTHER_BYTES);
        for (salt, draft) in salts.chunks_exact(SALT).zip(self.drafts.by_ref()) {
            let (seq, erases) = (self.seq, self.erases);
            chunk.add(seq, |bytes| {
                let start = bytes.len();
                bytes.extend_from_slice(salt);
                bytes.extend_from_slice(&draft.body);
                let header = bytes.len();
                let body_hash = sha256(&[bytes.get(start..).unwrap_or_default()]);
                encode(bytes, seq, &draft, erases, &body_hash)?;
                let leaf = leaf(bytes.get(header..).unwrap_or_default());
                self.edge.push(leaf, &mut self.tiles);
                Ok((header, check(&leaf)))
            })?;
            self.seq += 1;
        }
        Ok(chunk)
    }
}

/// The thread.
#[derive(Debug)]
pub(super) struct Worker {
    /// `None` only while it is being stopped.
    jobs: Option<Sender<(Job, SyncSender<Part>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start() -> Result<Self, Error> {
        let (jobs, todo) = channel::<(Job, SyncSender<Part>)>();
        let run = move || {
            for (mut job, parts) in todo {
                loop {
                    let part = job.next();
                    let more = matches!(part, Part::Chunk(_));
                    // A store that has stopped taking parts wants no more.
                    if parts.send(part).is_err() || !more {
                        break;
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(run);
        let thread =
            thread.map_err(|e| Error::new(Kind::Unavailable, "no thread can be started").with_source(e))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    fn give(&self, job: Job) -> Result<Receiver<Part>, Error> {
        let (parts, out) = sync_channel(WAITING);
        let jobs = self.jobs.as_ref().ok_or_else(lost)?;
        jobs.send((job, parts)).map_err(|_| lost())?;
        Ok(out)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn lost() -> Error {
    Error::new(Kind::Unavailable, "the thread that hashes records has ended")
}
