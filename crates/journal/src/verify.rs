//! Verification: reads everything once, computes every hash again, and names the first record that does not fit.
//!
//! It trusts nothing that it could compute and never opens the journal for it, so it also tells what is wrong with one
//! that cannot be opened. What it cannot see without a checkpoint kept elsewhere: a journal whose end was cut off together
//! with the checkpoints about it. Memory does not grow with the journal; hashing goes on in a second thread.

use mainstay_base::Hash;

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Kind};
use crate::frame::Frame;
use crate::journal::tail::Rows;
use crate::journal::{Journal, check};
use crate::key::VerifierKey;
use crate::merkle::{Edge, leaf};
use crate::record::decode;
use crate::store::{State, Store, StoredBody, Want};

mod checkpoints;
mod stream;
mod tiles;

use checkpoints::Checkpoints;
use stream::{Body, Hashed, Stream};
use tiles::Tiles;

/// Frames read at a time.
const FRAMES: usize = 1024;
/// Records between two reports of progress.
const PROGRESS: u64 = 4096;

/// What is verified, and against what.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The first record to be verified; everything if `None`. The frames and hashes before are taken as they are.
    pub since: Option<u64>,
    /// The key of the checkpoints; without it their signatures are not checked.
    pub key: Option<VerifierKey>,
    /// Checkpoints kept elsewhere, that the journal must still agree with.
    pub kept: Vec<Checkpoint>,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How many records were found good.
    pub facts: u64,
    /// How many frames were found good.
    pub frames: u64,
    /// How many checkpoints were found good, those kept elsewhere included.
    pub checkpoints: u64,
    /// Whether everything was.
    pub ok: bool,
    /// The number of the first record that is not: changed, missing, or one too many. Where only a root can tell, the first
    /// that it could be.
    pub first_bad: Option<u64>,
    /// One sentence: what was verified, or what is wrong.
    pub what: String,
}

impl Journal {
    /// Verifies the journal as it is in the store, beside whatever this handle knows. `progress` is told how many records
    /// are done, of how many.
    ///
    /// # Errors
    /// `Unavailable`, or `Newer` if a format is not known. Damage is no error but the result.
    pub fn verify(
        &self,
        options: &VerifyOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Verification, Error> {
        verify_rows(self.store(), options, progress)
    }
}

/// Verifies the journal in a store, even one that [`Journal::open`] refuses.
///
/// # Errors
/// `Missing` if there is none, `Unavailable`, `Newer`. Damage is no error but the result.
pub fn verify(
    store: impl Store + 'static,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verification, Error> {
    verify_boxed(Box::new(store), options, progress)
}

/// Verifies the journal in a store that is known only at run time.
///
/// # Errors
/// As [`verify`].
pub fn verify_boxed(
    mut store: Box<dyn Store>,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verification, Error> {
    store.attach()?;
    verify_rows(store.as_ref(), options, progress)
}

fn verify_rows(
    store: &dyn Store,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verification, Error> {
    let state = store.state()?;
    let mut walk = Walk::default();
    let end = walk.run(store, &state, options, progress);
    let (facts, frames, checkpoints) = (walk.facts, walk.frames, walk.checkpoints);
    match end {
        Ok(()) => {
            let signatures = if options.key.is_some() {
                ""
            } else {
                ", their signatures not checked"
            };
            let what = format!("{facts} records in {frames} frames, {checkpoints} checkpoints{signatures}");
            Ok(Verification {
                facts,
                frames,
                checkpoints,
                ok: true,
                first_bad: None,
                what,
            })
        }
        Err(Stop::Bad { seq, what }) => Ok(Verification {
            facts,
            frames,
            checkpoints,
            ok: false,
            first_bad: Some(seq),
            what,
        }),
        Err(Stop::Failed(e)) => Err(e),
    }
}

/// Why a verification ends early.
#[derive(Debug)]
enum Stop {
    /// Something does not fit, from that record on.
    Bad { seq: u64, what: String },
    /// It cannot go on.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Self::Failed(e)
    }
}

fn bad<T>(seq: u64, what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Bad {
        seq: seq.max(1),
        what: what.into(),
    })
}

/// Turns what a damaged row leads to into a finding; what kept the store from answering stays an error.
fn finding(seq: u64) -> impl FnOnce(Error) -> Stop {
    move |e| match e.kind() {
        Kind::Damaged | Kind::Forged | Kind::Invalid | Kind::Missing => Stop::Bad {
            seq: seq.max(1),
            what: e.to_string(),
        },
        _ => Stop::Failed(e),
    }
}

/// How far the verification has come.
#[derive(Debug, Default)]
struct Walk {
    edge: Edge,
    /// The frame before the next, where it has been read.
    before: Option<(Frame, Hash)>,
    facts: u64,
    frames: u64,
    checkpoints: u64,
    /// What is wrong with a stored subtree hash of this frame, unless the frame's root shows that it is the records.
    tile: Option<Stop>,
    /// An erased body whose erasure could not be read: the record, and the one that erased it.
    unexplained: Option<(u64, u64)>,
}

impl Walk {
    fn run(
        &mut self,
        store: &dyn Store,
        state: &State,
        options: &VerifyOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Stop> {
        let end = self.rows(store, state, options, progress);
        match (self.unexplained, end) {
            // Where the walk ends before the record that should explain it, that end is what is wrong.
            (Some((seq, by)), Err(Stop::Bad { seq: end, .. })) if by < end => unexplained(seq),
            (Some((seq, _)), Ok(())) => unexplained(seq),
            (_, end) => end,
        }
    }

    fn rows(
        &mut self,
        store: &dyn Store,
        state: &State,
        options: &VerifyOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Stop> {
        let last_frame = state.last_frame.as_ref().map_or(0, |frame| frame.number);
        if let Some(since) = options.since {
            self.skip(store, since, last_frame)?;
        }
        let start = self.edge.size();
        let total = state.last_seq.saturating_sub(start);
        let mut checkpoints = Checkpoints::new(store, state, options, start);
        let mut tiles = Tiles::new(store, start);
        if start > 0 {
            checkpoints.compare(&mut self.checkpoints, &self.edge, self.before.as_ref())?;
        }
        std::thread::scope(|scope| {
            let mut stream = Stream::new(store, scope, start + 1, state.last_seq);
            let mut next = self.before.as_ref().map_or(0, |(frame, _)| frame.number) + 1;
            while next <= last_frame {
                let rows = store.frames(next, FRAMES)?;
                if rows.is_empty() {
                    return bad(self.edge.size() + 1, format!("frame {next} is missing"));
                }
                for row in rows.iter().take_while(|row| row.number <= last_frame) {
                    if row.number != next {
                        return bad(self.edge.size() + 1, format!("frame {next} is missing"));
                    }
                    let frame = Frame::decode(row).map_err(finding(self.edge.size() + 1))?;
                    self.link(&frame, state.epoch)?;
                    for _ in 0..frame.count {
                        let hashed = stream.next().transpose()?;
                        self.fact(store, hashed, &mut tiles)?;
                        if self.facts.is_multiple_of(PROGRESS) {
                            progress(self.facts, total);
                        }
                    }
                    if frame.root != self.edge.root() {
                        let what = format!("the records of frame {next} are not under its root");
                        return bad(frame.first_seq, what);
                    }
                    if let Some(stop) = self.tile.take() {
                        return Err(stop);
                    }
                    self.before = Some((frame, row.hash));
                    self.frames += 1;
                    next += 1;
                    checkpoints.compare(&mut self.checkpoints, &self.edge, self.before.as_ref())?;
                }
            }
            if state.last_seq > self.edge.size() {
                return bad(self.edge.size() + 1, "there are records after the last frame");
            }
            progress(self.facts, total);
            Ok(())
        })?;
        checkpoints.end(&self.edge)?;
        tiles.end()?;
        match store.strays()? {
            0 => Ok(()),
            n => bad(1, format!("there are {n} rows at numbers that no writer gives")),
        }
    }

    /// Goes to the beginning of the frame that has record `since`.
    fn skip(&mut self, store: &dyn Store, since: u64, last_frame: u64) -> Result<(), Stop> {
        if since <= 1 || last_frame == 0 {
            return Ok(());
        }
        let frame = Journal::frame_of(store, since, last_frame).map_err(finding(1))?;
        // Past the end there is nothing to verify but that the end is where it should be.
        let number = if since > frame.last_seq() {
            frame.number
        } else {
            frame.number - 1
        };
        if number == 0 {
            return Ok(());
        }
        let row = crate::journal::tail::stored_frame(store, number).map_err(finding(1))?;
        let frame = Frame::decode(&row).map_err(finding(1))?;
        self.edge = Edge::read(&Rows(store), frame.last_seq()).map_err(finding(1))?;
        if self.edge.root() != frame.root {
            return bad(
                1,
                format!("the records before {since} are not under the root of frame {number}"),
            );
        }
        self.before = Some((frame, row.hash));
        Ok(())
    }

    /// Checks that a frame follows the one before.
    fn link(&self, frame: &Frame, newest_epoch: u64) -> Result<(), Stop> {
        let (number, next) = (frame.number, self.edge.size() + 1);
        let (hash, epoch, suspect) = self
            .before
            .as_ref()
            .map_or((Hash::default(), 0, next), |(f, hash)| {
                (*hash, f.epoch, f.first_seq)
            });
        if frame.previous != hash {
            return bad(
                suspect,
                format!("frame {} is not the one that frame {number} follows", number - 1),
            );
        }
        if frame.first_seq != next {
            return bad(
                next,
                format!(
                    "frame {number} begins with record {}, not {next}",
                    frame.first_seq
                ),
            );
        }
        if frame.epoch < epoch || frame.epoch > newest_epoch {
            return bad(
                next,
                format!(
                    "frame {number} is of epoch {}, which had no turn there",
                    frame.epoch
                ),
            );
        }
        Ok(())
    }

    /// Checks the next record.
    fn fact(&mut self, store: &dyn Store, hashed: Option<Hashed>, tiles: &mut Tiles<'_>) -> Result<(), Stop> {
        let seq = self.edge.size() + 1;
        let Some(hashed) = hashed.filter(|hashed| hashed.seq == seq) else {
            return bad(seq, format!("record {seq} is missing"));
        };
        if !hashed.header_fits {
            return bad(
                seq,
                format!("the header of record {seq} is not the one that was appended"),
            );
        }
        let erases = hashed.erases.map_err(finding(seq))?;
        match hashed.body {
            Body::Good => {}
            Body::Bad => {
                return bad(
                    seq,
                    format!("the body of record {seq} is not the one that was appended"),
                );
            }
            Body::Absent => return bad(seq, format!("the body of record {seq} is missing")),
            Body::Erased(by) => {
                if !is_explained(store, seq, by)? {
                    self.unexplained.get_or_insert((seq, by));
                }
            }
        }
        if let Some(target) = erases {
            check_erasure(store, target, seq)?;
        }
        let mut complete = Vec::new();
        self.edge.push(hashed.leaf, &mut complete);
        for tile in complete {
            match tiles.compare(tile) {
                Err(stop @ Stop::Bad { .. }) => self.tile = Some(self.tile.take().unwrap_or(stop)),
                other => other?,
            }
        }
        self.facts += 1;
        Ok(())
    }
}

fn unexplained<T>(seq: u64) -> Result<T, Stop> {
    bad(
        seq,
        format!("the body of record {seq} is gone, and no record says why"),
    )
}

/// Says whether the record that is said to have erased a body says so too; `false` where that record is damaged or missing,
/// which is yet to be found.
fn is_explained(store: &dyn Store, seq: u64, by: u64) -> Result<bool, Stop> {
    if by <= seq {
        return unexplained(seq);
    }
    let want = Want {
        from: by,
        to: by,
        rows: 1,
        bytes: 1,
        bodies: false,
    };
    let row = store
        .facts(want)?
        .pop()
        .filter(|row| check(&leaf(&row.header)) == row.check);
    let record = row
        .and_then(|row| decode(&row.header).ok())
        .filter(|record| record.seq == by);
    match record.map(|record| record.erases) {
        Some(erases) if erases == Some(seq) => Ok(true),
        Some(_) => unexplained(seq),
        None => Ok(false),
    }
}

/// Checks that a body that a record says it erased is gone.
fn check_erasure(store: &dyn Store, target: u64, by: u64) -> Result<(), Stop> {
    let want = Want {
        from: target,
        to: target,
        rows: 1,
        bytes: 1,
        bodies: true,
    };
    let row = if target < by {
        store.facts(want)?.pop()
    } else {
        None
    };
    match row.map(|row| row.body) {
        Some(StoredBody::Erased(other)) if other == by => Ok(()),
        _ => bad(
            target.min(by),
            format!("the body of record {target} was erased by record {by}, and is back"),
        ),
    }
}
