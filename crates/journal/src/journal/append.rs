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
use crate::record::{Draft, SALT, check_size, encode, salted};
use crate::store::{Batch, BatchEnd, StoredBody, StoredFact};

/// Records in a chunk.
const CHUNK: usize = 64;
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
            first_seq,
            drafts,
            erases,
            edge: self.edge.clone(),
            entropy: self.entropy,
        };
        let source = if count as usize > FEW {
            let worker = match self.worker.take() {
                Some(worker) => worker,
                None => Worker::start()?,
            };
            Source::Worker(self.worker.insert(worker).give(job)?)
        } else {
            Source::Here(Some(job))
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
    Here(Option<Job>),
    Worker(Receiver<Part>),
}

impl Batch for Work {
    fn facts(&mut self) -> Result<Vec<StoredFact>, Error> {
        let part = match &mut self.source {
            Source::Here(job) => {
                let mut facts = Vec::new();
                let mut end = Part::Facts(Vec::new());
                if let Some(job) = job.take() {
                    job.run(CHUNK, &mut |part| match part {
                        Part::Facts(chunk) => facts.extend(chunk),
                        other => end = other,
                    });
                }
                match end {
                    Part::End(edge, tiles) => (self.edge, self.tiles) = (Some(edge), tiles),
                    Part::Failed(e) => return Err(e),
                    Part::Facts(_) => {}
                }
                Part::Facts(facts)
            }
            Source::Worker(parts) => parts.recv().map_err(|_| lost())?,
        };
        match part {
            Part::Facts(facts) => Ok(facts),
            Part::End(edge, tiles) => {
                (self.edge, self.tiles) = (Some(edge), tiles);
                Ok(Vec::new())
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
    first_seq: u64,
    drafts: Vec<Draft>,
    erases: Option<u64>,
    edge: Edge,
    entropy: Entropy,
}

/// What comes of it: chunks, then the end.
#[derive(Debug)]
enum Part {
    Facts(Vec<StoredFact>),
    End(Edge, Vec<Tile>),
    Failed(Error),
}

impl Job {
    /// Hands the chunks and the end to `out`.
    fn run(self, chunk: usize, out: &mut dyn FnMut(Part)) {
        let Self {
            first_seq,
            drafts,
            erases,
            mut edge,
            entropy,
        } = self;
        let mut tiles = Vec::new();
        let mut seq = first_seq;
        for drafts in drafts.chunks(chunk) {
            match encode_chunk(seq, drafts, erases, &entropy, &mut edge, &mut tiles) {
                Ok(facts) => out(Part::Facts(facts)),
                Err(e) => return out(Part::Failed(e)),
            }
            seq += drafts.len() as u64;
        }
        out(Part::End(edge, tiles));
    }
}

fn encode_chunk(
    first_seq: u64,
    drafts: &[Draft],
    erases: Option<u64>,
    entropy: &Entropy,
    edge: &mut Edge,
    tiles: &mut Vec<Tile>,
) -> Result<Vec<StoredFact>, Error> {
    let salts = entropy.salts(first_seq, drafts.len())?;
    let mut facts = Vec::with_capacity(drafts.len());
    for ((seq, draft), salt) in (first_seq..).zip(drafts).zip(salts.chunks_exact(SALT)) {
        let body = salted(salt, &draft.body);
        let header = encode(seq, draft, erases, &sha256(&[&body]))?;
        let leaf = leaf(&header);
        edge.push(leaf, tiles);
        facts.push(StoredFact {
            seq,
            header,
            check: check(&leaf),
            body: StoredBody::Kept(body),
        });
    }
    Ok(facts)
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
            for (job, parts) in todo {
                // If the store has stopped taking parts, the rest goes nowhere.
                job.run(CHUNK, &mut |part| drop(parts.send(part)));
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
