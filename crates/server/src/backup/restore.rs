//! `restore`: a home from a backup, as it was at a moment. The copy verifies before it is there, and then rests.
//!
//! Everything is built beside the place where the home is to be, and put there at last in one step: what a killed restore leaves is
//! no home. First the journal, which says which data files belong to it; that all of them are there is known before the first is
//! copied.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use mainstay_api::{Error, ErrorKind, Progress, RestoreReport};
use mainstay_base::{Bytes, Clock, SystemClock, Timestamp};
use mainstay_control::{Command, Sight};
use mainstay_engine::CancelToken;
use mainstay_journal::{Rebuild, SigningKey, SqliteStore, Until};
use mainstay_model::fact::HomeRestored;
use mainstay_storage::Store;

use super::files::{AT_ONCE, Needed, needed, shown, tables};
use super::going_on;
use super::place::{Backup, DATA, JOURNAL, KEY, Known, Place, damaged};
use crate::error;
use crate::instance::{Access, Instance, Options, Watch, settings};
use crate::ledger::{Context, Ledger};
use crate::place::Place as Home;
use crate::step;

/// At most so many missing files are named.
const NAMED: usize = 10;

/// What is to be restored, and where to.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// The folder or bucket with the backup.
    pub source: String,
    /// From where relative folders count.
    pub base: PathBuf,
    /// The home that is to be made.
    pub home: PathBuf,
    /// Up to where.
    pub until: Until,
    /// Where its tables are to be; in the home if left out.
    pub store: Option<String>,
    /// Who does it.
    pub context: Context,
}

/// Makes a home from a backup.
///
/// # Errors
///
/// `NotFound` if there is no backup, `Damaged` if something of it is missing or is not what was written (each is named), `Invalid`
/// if it does not reach to the moment, `Refused` if something is where the home is to be.
pub fn restore(
    request: &RestoreRequest,
    cancel: &CancelToken,
    watch: Watch<'_>,
) -> Result<RestoreReport, Error> {
    let began = Instant::now();
    let store = mainstay_storage::open_existing(&request.source, &request.base);
    let store = store.map_err(|e| match e.kind {
        mainstay_storage::Kind::NotFound => no_backup(&request.source),
        _ => error::storage(&e),
    })?;
    let place = Place { store };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("mainstay-io")
        .build()
        .map_err(|e| error::file("start threads for", &request.home, &e))?;
    let backup = runtime
        .block_on(place.newest())?
        .ok_or_else(|| no_backup(&request.source))?;
    reaches(&backup, request.until)?;
    let building = Building::begin(&request.home)?;
    let beside = building.folder.as_path();

    let (seq, time) = runtime.block_on(journal(&place, &backup, beside, request.until))?;
    runtime.block_on(key(&place, beside))?;
    verify(beside, watch)?;
    step::at("restore.journal");

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (needed, stores) = {
        let ledger = Ledger::read(beside, Home::of(beside, None)?, clock.clone())?;
        (needed(&ledger), declared(&ledger))
    };
    let known = runtime.block_on(there(&place, &backup, &needed))?;
    let target = match &request.store {
        None => mainstay_storage::open("data", beside),
        Some(store) => mainstay_storage::open(store, &request.base),
    };
    let target = target.map_err(|e| error::storage(&e))?;
    if request.store.is_some() {
        runtime.block_on(nothing_there(&target, &needed))?;
    }
    let bytes = runtime.block_on(files(&place, &target, &needed, &known, cancel, watch))?;
    step::at("restore.files");

    let tables = request.store.as_ref().map(|_| location(&target));
    record(
        beside,
        &stores,
        &location(&place.store),
        seq,
        tables.as_deref(),
        request,
        clock,
    )?;
    step::at("restore.recorded");
    // Opening it for writing ends what was going on in the original, and shows the tables to Delta readers.
    let copy = Instance::open(Options {
        home: beside.to_owned(),
        journal: None,
        project: None,
        access: Access::Write,
        branch: None,
        wait: None,
        context: request.context.clone(),
    })?;
    copy.close()?;
    verify(beside, &|_| {})?;
    building.end()?;
    step::at("restore.complete");
    Ok(RestoreReport {
        source: request.source.clone(),
        home: request.home.display().to_string(),
        backup: backup.time,
        seq,
        time,
        files: needed.len() as u64,
        bytes,
        seconds: began.elapsed().as_secs_f64(),
    })
}

fn no_backup(source: &str) -> Error {
    let message = format!("there is no complete backup in {source}");
    Error::new(ErrorKind::NotFound, "MS0641", message)
        .help("a backup that was stopped is completed by the same `mainstay backup` again")
}

fn reaches(backup: &Backup, until: Until) -> Result<(), Error> {
    match until {
        Until::Seq(seq) if seq > backup.seq => {
            let message = format!("the backup ends with fact {}, before fact {seq}", backup.seq);
            Err(Error::new(ErrorKind::Invalid, "MS0645", message))
        }
        _ => Ok(()),
    }
}

/// A home on its way: a folder beside the place where it is to be.
#[derive(Debug)]
struct Building {
    folder: PathBuf,
    home: PathBuf,
    done: bool,
}

impl Building {
    fn begin(home: &Path) -> Result<Self, Error> {
        let mut entries = match std::fs::read_dir(home) {
            Ok(entries) => Some(entries),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(error::file("look at", home, &e)),
        };
        if entries.as_mut().is_some_and(|e| e.next().is_some()) {
            let message = format!("{} is not empty", home.display());
            return Err(Error::new(ErrorKind::Refused, "MS0644", message)
                .help("name a folder that is not there: nothing is ever restored over something else"));
        }
        let name = home.file_name().unwrap_or_default().to_string_lossy();
        let folder = home.with_file_name(format!(".{name}.restoring"));
        // What a killed restore left is no use: its files may be half.
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(error::file("remove", &folder, &e)),
        }
        std::fs::create_dir_all(&folder).map_err(|e| error::file("create", &folder, &e))?;
        Ok(Self {
            folder,
            home: home.to_owned(),
            done: false,
        })
    }

    /// Puts the home in its place, for good.
    fn end(mut self) -> Result<(), Error> {
        let moved = || {
            sync(&self.folder)?;
            if self.home.is_dir() {
                std::fs::remove_dir(&self.home)?;
            }
            std::fs::rename(&self.folder, &self.home)?;
            self.home.parent().map_or(Ok(()), sync)
        };
        moved().map_err(|e| error::file("make", &self.home, &e))?;
        self.done = true;
        Ok(())
    }
}

fn sync(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

impl Drop for Building {
    fn drop(&mut self) {
        if !self.done {
            // The next restore removes what is left.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Builds the journal; returns its last fact, and when that was recorded.
async fn journal(
    place: &Place,
    backup: &Backup,
    folder: &Path,
    until: Until,
) -> Result<(u64, Timestamp), Error> {
    let there = place.list(&format!("{JOURNAL}/*")).await?;
    let missing =
        |p: &&super::place::Piece| !there.iter().any(|f| f.path == p.object && f.bytes.0 == p.bytes);
    if let Some(piece) = backup.journal.iter().find(missing) {
        let object = place.store.place(&piece.object);
        return Err(damaged(&object, "it is not there with its size"));
    }
    let built = Rebuild::begin(SqliteStore::new(folder), &backup.origin, until);
    let mut built = built.map_err(|e| error::journal(&e))?;
    for piece in &backup.journal {
        let bytes = place.read_sound(&piece.object, piece.content).await?;
        if !built.add(&bytes).map_err(|e| error::journal(&e))? {
            break;
        }
    }
    let (seq, time) = built.end().map_err(|e| error::journal(&e))?;
    match time {
        Some(time) => Ok((seq, time)),
        None => Err(Error::new(
            ErrorKind::Invalid,
            "MS0645",
            "nothing had happened yet at that moment: there is nothing to restore",
        )
        .help("name a later moment with --as-of, or none")),
    }
}

/// Writes the key that signs checkpoints, for its owner only, and the one that verifies them.
async fn key(place: &Place, folder: &Path) -> Result<(), Error> {
    let key = match place.store.read(KEY).await {
        Ok(key) => key,
        // Nothing had been signed.
        Err(e) if e.kind == mainstay_storage::Kind::NotFound => return Ok(()),
        Err(e) => return Err(error::storage(&e)),
    };
    let path = folder.join(crate::ledger::KEY);
    let mut own = std::fs::OpenOptions::new();
    let written = own
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut f| f.write_all(&key).and_then(|()| f.sync_all()));
    written.map_err(|e| error::file("write", &path, &e))?;
    let verifier = SigningKey::load(&path)
        .map_err(|e| error::journal(&e))?
        .verifier();
    let beside = folder.join(format!("{}.pub", crate::ledger::KEY));
    std::fs::write(&beside, format!("{verifier}\n")).map_err(|e| error::file("write", &beside, &e))
}

fn verify(folder: &Path, watch: Watch<'_>) -> Result<(), Error> {
    let found = Instance::verify(folder, None, None, watch)?;
    if found.ok {
        return Ok(());
    }
    let why = found.message.unwrap_or_default();
    let at = found.first_bad.map(|s| format!("fact {s}")).unwrap_or_default();
    Err(damaged(&at, &why))
}

/// Where each account's tables were, as its project says.
fn declared(ledger: &Ledger) -> BTreeMap<String, Option<String>> {
    let each = ledger.states();
    each.map(|(account, state)| (account.to_owned(), settings(&Sight::live(state)).store))
        .collect()
}

/// Checks that every file that is needed is in the backup with its size, and says what its content was.
async fn there(place: &Place, backup: &Backup, needed: &[Needed]) -> Result<Known, Error> {
    let mut known = Known::new();
    for listed in &backup.lists {
        let list = place.read_list(listed).await?;
        known.extend(list.files.into_iter().map(|f| (f.path.clone(), f)));
    }
    let sizes = place.sizes(needed).await?;
    let wrong: Vec<String> = needed
        .iter()
        .filter_map(|n| {
            let why = match (known.get(&n.path), sizes.get(&n.path)) {
                (Some(k), Some(size)) if k.bytes == *size && *size == n.bytes => return None,
                (None, _) => "it was never copied: a vacuum freed it before the next backup",
                (_, None) => "it is not there",
                _ => "it does not have its size",
            };
            Some(format!("{}: {why}", shown(&n.path)))
        })
        .collect();
    if wrong.is_empty() {
        return Ok(known);
    }
    let files = mainstay_base::text::count(wrong.len() as u64, "data file");
    let mut error = Error::new(
        ErrorKind::Damaged,
        "MS0642",
        format!("the backup is not whole: {files} cannot be restored"),
    );
    error.causes = wrong.into_iter().take(NAMED).collect();
    Err(error.help(
        "name another moment with --as-of, or another copy; if the original is still there, another `mainstay backup` brings back what is missing",
    ))
}

async fn nothing_there(target: &Store, needed: &[Needed]) -> Result<(), Error> {
    for table in tables(needed) {
        let found = target.list(&format!("{table}/**")).await;
        let found = found.map_err(|e| error::storage(&e))?;
        if let Some(first) = found.first() {
            let message = format!("there is something at {} already", first.url);
            return Err(Error::new(ErrorKind::Refused, "MS0644", message)
                .help("name a place without tables: nothing is ever restored over something else"));
        }
    }
    Ok(())
}

/// Copies the data files out of the backup, each compared with what was written there.
async fn files(
    place: &Place,
    target: &Store,
    needed: &[Needed],
    known: &Known,
    cancel: &CancelToken,
    watch: Watch<'_>,
) -> Result<u64, Error> {
    watch(Progress::Began {
        what: super::WHAT.to_owned(),
        unit: "files",
        total: Some(needed.len() as u64),
    });
    let mut copies = futures::stream::iter(needed)
        .map(|file| async move {
            let from = format!("{DATA}/{}", file.path);
            (file, place.store.copy_to(&from, target, &file.path).await)
        })
        .buffer_unordered(AT_ONCE);
    let (mut done, mut total) = (0, 0);
    while let Some((file, copied)) = copies.next().await {
        going_on(cancel)?;
        let (content, bytes) = copied.map_err(|e| error::storage(&e))?;
        if known.get(&file.path).is_none_or(|k| k.content != content) {
            return Err(damaged(&shown(&file.path), "its content is not what was written"));
        }
        done += 1;
        total += bytes.0;
        watch(Progress::At {
            what: super::WHAT.to_owned(),
            done,
        });
    }
    drop(copies);
    let paths: Vec<String> = needed.iter().map(|n| n.path.clone()).collect();
    target.persist(&paths).await.map_err(|e| error::storage(&e))?;
    watch(Progress::Ended {
        what: super::WHAT.to_owned(),
        ok: true,
        message: format!(
            "{} copied, {}",
            mainstay_base::text::count(done, "file"),
            Bytes(total)
        ),
    });
    Ok(total)
}

/// A place as it is found again from anywhere.
pub(super) fn location(store: &Store) -> String {
    match store.local_root() {
        Some(root) => root.display().to_string(),
        None => store.url().to_string().trim_end_matches('/').to_owned(),
    }
}

/// Records in every account that this is a copy, which rests.
fn record(
    folder: &Path,
    accounts: &BTreeMap<String, Option<String>>,
    backup: &str,
    seq: u64,
    tables: Option<&str>,
    request: &RestoreRequest,
    clock: Arc<dyn Clock>,
) -> Result<(), Error> {
    let mut ledger = Ledger::write(folder, Home::of(folder, None)?, None, clock)?;
    for (account, original) in accounts {
        let restored = HomeRestored {
            backup: backup.to_owned(),
            seq,
            original: original.clone(),
            tables: tables.map(str::to_owned),
        };
        let context = Context {
            account: account.clone(),
            ..request.context.clone()
        };
        ledger.submit(&context, None, Command::Restored { restored })?;
    }
    Ok(())
}
