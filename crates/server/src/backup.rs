//! `backup`: a copy of a home in a folder or bucket, made beside whoever writes to the home.
//!
//! The journal is read up to one frame, and every data file that anything refers to at that frame is copied before the journal is:
//! data files never change, so that only one that a vacuum takes away meanwhile can be missed, and then a later frame is taken.
//! The list of what belongs to the backup is written last, so that there is a whole backup or none. What earlier backups brought
//! is there already.

mod files;
mod place;
mod restore;

use std::path::Path;
use std::time::Instant;

use mainstay_api::{BackupReport, Error, ErrorKind, Progress};
use mainstay_base::{Bytes, Hash};
use mainstay_engine::CancelToken;
use mainstay_journal::Head;

pub use mainstay_journal::Until;
pub use restore::{RestoreRequest, restore};

use crate::error;
use crate::instance::{Instance, Watch};
use crate::step;
use files::{Needed, shown};
use place::{Backup, Listed, Piece, Place};

/// What copying is called where people watch.
const WHAT: &str = "data files";

/// A stretch of the journal is not made longer than this; a shorter one at the end is written again when it has grown.
const STRETCH_BYTES: usize = 8 << 20;

/// The file in the home that says when it was last copied, and where to.
pub(crate) const LAST: &str = "last-backup.json";

impl Instance {
    /// Copies the home to a folder or bucket, and returns when the copy is whole and durable. Relative folders count from `base`.
    ///
    /// # Errors
    ///
    /// `Refused` if another journal's backup is there, `Unavailable` if a store cannot be reached, `Damaged` if a file that the
    /// home refers to is gone, `Interrupted`. What was copied by then is not copied again.
    pub fn backup(
        &self,
        target: &str,
        base: &Path,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<BackupReport, Error> {
        let began = Instant::now();
        let store = mainstay_storage::open(target, base).map_err(|e| error::storage(&e))?;
        let place = Place { store };
        let earlier = self.runtime.block_on(place.newest())?;
        if let Some(earlier) = &earlier {
            self.continues(earlier, &place)?;
        }
        let mut gone: Vec<Needed> = Vec::new();
        let (mut copied_files, mut copied_bytes) = (0, 0);
        let (head, needed, lists) = loop {
            self.ledger().refresh()?;
            let head = self.ledger().journal().head();
            if head.frame == 0 {
                let message = "nothing has happened in this home yet: there is nothing to copy";
                return Err(Error::new(ErrorKind::Invalid, "MS0645", message).help("mainstay apply"));
            }
            let needed = files::needed(&self.ledger());
            if let Some(lost) = gone.iter().find(|g| needed.iter().any(|n| n.path == g.path)) {
                return Err(gone_from_home(lost));
            }
            let stores = self.stores(&needed)?;
            let (known, mut lists) = self.runtime.block_on(place.known(&needed))?;
            let new: Vec<Needed> = needed
                .iter()
                .filter(|n| known.get(&n.path).is_none_or(|k| k.bytes != n.bytes))
                .cloned()
                .collect();
            watch(Progress::Began {
                what: WHAT.to_owned(),
                unit: "files",
                total: Some(new.len() as u64),
            });
            let copying = place.take(&stores, new, &mut lists, cancel, watch);
            let copying = self.runtime.block_on(copying)?;
            copied_files += copying.files;
            copied_bytes += copying.bytes;
            watch(Progress::Ended {
                what: WHAT.to_owned(),
                ok: true,
                message: format!(
                    "{} copied, {}",
                    mainstay_base::text::count(copying.files, "file"),
                    Bytes(copying.bytes)
                ),
            });
            if copying.gone.is_empty() {
                break (head, needed, lists);
            }
            // A vacuum took them since the journal was read: what is read now does not refer to them, or they are lost.
            gone = copying.gone;
        };
        going_on(cancel)?;
        let (journal, journal_bytes) = self.copy_journal(&place, earlier.as_ref(), &head)?;
        step::at("backup.journal");
        self.copy_key(&place)?;
        let backup = self.complete(&place, &head, journal, lists, &needed)?;
        step::at("backup.complete");
        let report = BackupReport {
            target: target.to_owned(),
            seq: backup.seq,
            time: backup.time,
            files: backup.files,
            bytes: backup.bytes.0,
            copied_files,
            copied_bytes,
            journal_bytes,
            seconds: began.elapsed().as_secs_f64(),
        };
        // It is only for people to look at: the backup is whole without it.
        let found_again = BackupReport {
            target: restore::location(&place.store),
            ..report.clone()
        };
        let _ = std::fs::write(
            self.options.home.join(LAST),
            serde_json::to_vec(&found_again).unwrap_or_default(),
        );
        Ok(report)
    }

    /// Checks that what is at the target is the beginning of this journal.
    fn continues(&self, earlier: &Backup, place: &Place) -> Result<(), Error> {
        let ledger = self.ledger();
        let journal = ledger.journal();
        let held = journal
            .frame_hash(earlier.frame)
            .map_err(|e| error::journal(&e))?;
        // A copy that rests leaves the original's backups alone, though its history goes on from them.
        let mut restored = ledger.states().filter_map(|(_, state)| state.restored.as_ref());
        let rests = restored.any(|r| r.resumed.is_none() && earlier.seq <= r.seq);
        if earlier.origin == journal.origin() && held == Some(earlier.frame_hash) && !rests {
            return Ok(());
        }
        let what = if rests {
            "of the original, and this home is a copy of it that rests"
        } else if earlier.origin == journal.origin() {
            "of this journal, but of another course of it: one of the two was restored from a backup"
        } else {
            "of another journal"
        };
        let message = format!("the backup in {} is {what}", place.store.url());
        Err(Error::new(ErrorKind::Refused, "MS0643", message)
            .help("name another folder or bucket: one place has the backups of one home"))
    }

    /// Copies the journal up to a frame; what earlier backups have in whole stretches stays. Returns what was written.
    fn copy_journal(
        &self,
        place: &Place,
        earlier: Option<&Backup>,
        head: &Head,
    ) -> Result<(Vec<Piece>, u64), Error> {
        let mut pieces: Vec<Piece> = earlier.map(|e| e.journal.clone()).unwrap_or_default();
        if pieces.last().is_some_and(|p| p.bytes < STRETCH_BYTES as u64) {
            pieces.pop();
        }
        let mut written = 0;
        let there = self
            .runtime
            .block_on(place.list(&format!("{}/*", place::JOURNAL)))?;
        // What should be there and is not is written again.
        let whole = |p: &Piece| there.iter().any(|f| f.path == p.object && f.bytes.0 == p.bytes);
        let kept = pieces.iter().take_while(|p| whole(p)).count();
        pieces.truncate(kept);
        loop {
            let (frame, checkpoint) = pieces
                .last()
                .map_or((1, 0), |p| (p.last_frame + 1, p.last_checkpoint));
            let ledger = self.ledger();
            let stretch = ledger.journal().stretch(frame, checkpoint, STRETCH_BYTES);
            drop(ledger);
            let Some(stretch) = stretch.map_err(|e| error::journal(&e))? else {
                break;
            };
            let size = stretch.bytes.len() as u64;
            let piece = Piece::new(stretch.has, Hash::of(&stretch.bytes), size);
            if !whole(&piece) {
                self.runtime.block_on(place.put(&piece.object, stretch.bytes))?;
                written += size;
            }
            pieces.push(piece);
        }
        debug_assert_eq!(pieces.last().map(|p| p.last_frame), Some(head.frame));
        Ok((pieces, written))
    }

    /// Copies the key that signs checkpoints: without it a copy could not go on with the journal.
    fn copy_key(&self, place: &Place) -> Result<(), Error> {
        let path = self.options.home.join(crate::ledger::KEY);
        let key = match std::fs::read(&path) {
            Ok(key) => key,
            // Nothing was signed yet.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(error::file("read", &path, &e)),
        };
        self.runtime.block_on(place.put(place::KEY, key))?;
        if let Some(root) = place.store.local_root() {
            let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            let path = root.join(place::KEY);
            std::fs::set_permissions(&path, own).map_err(|e| error::file("close to others", &path, &e))?;
        }
        Ok(())
    }

    /// Writes what belongs to the backup: from then on it is there.
    fn complete(
        &self,
        place: &Place,
        head: &Head,
        journal: Vec<Piece>,
        lists: std::collections::BTreeSet<Listed>,
        needed: &[Needed],
    ) -> Result<Backup, Error> {
        let backup = Backup {
            format: place::FORMAT,
            mainstay: env!("CARGO_PKG_VERSION").to_owned(),
            time: self.clock.now(),
            origin: self.ledger().journal().origin().to_owned(),
            seq: head.last_seq,
            frame: head.frame,
            frame_hash: head.frame_hash,
            journal,
            lists: lists.into_iter().collect(),
            files: needed.len() as u64,
            bytes: Bytes(needed.iter().map(|n| n.bytes).sum()),
        };
        self.runtime.block_on(place.complete(&backup))?;
        Ok(backup)
    }
}

fn going_on(cancel: &CancelToken) -> Result<(), Error> {
    if !cancel.is_cancelled() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Interrupted,
        "MS0647",
        "stopped before the copy was whole",
    )
    .help("the same command goes on where it stopped"))
}

fn gone_from_home(file: &Needed) -> Error {
    let message = format!("a file of the home is gone: {}", shown(&file.path));
    Error::new(ErrorKind::Damaged, "MS0646", message)
        .help("mainstay doctor names all that are; a backup that has it brings it back: mainstay restore")
}
