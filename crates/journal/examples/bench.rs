//! Measures the journal and prints one JSON document.
//!
//! `bench [--facts N] [--rounds N] [--dir DIR]` compares durable appends with what SQLite alone does with the same rows in
//! the same run, and takes the latency of one frame at a tenth of that load, and of verifying and reading what was written.
//! `bench --open N [--dir DIR]` builds a journal of N records with a snapshot (or takes the one that is there) and opens it
//! in a process of its own; with `--keep` it stays for the next time.
//!
//! Rounds alternate between the two sides, each in a new folder, so that a slower minute of the machine hits both.

#![expect(clippy::print_stdout, reason = "the document is what this program is for")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mainstay_base::Timestamp;
use mainstay_journal::store::Store as _;
use mainstay_journal::{Draft, Journal, OpenOptions, SigningKey, SqliteStore, VerifyOptions};
use rusqlite::{Connection, TransactionBehavior, params};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Header, leaf and body.
type Row = (Vec<u8>, Vec<u8>, Vec<u8>);

/// Groups that are measured: records in one durable append.
const GROUPS: [usize; 2] = [100, 5000];
/// Records in one frame where latency is measured.
const LATENCY_GROUP: usize = 100;

struct Options {
    facts: usize,
    rounds: usize,
    dir: PathBuf,
    open: Option<u64>,
    child: bool,
    keep: bool,
}

fn main() -> Outcome<()> {
    let mut options = Options {
        facts: 200_000,
        rounds: 5,
        dir: std::env::temp_dir().join(format!("journal-bench-{}", std::process::id())),
        open: None,
        child: false,
        keep: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--facts" => options.facts = value()?.parse()?,
            "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
            "--dir" => options.dir = value()?.into(),
            "--open" => options.open = Some(value()?.parse()?),
            "--child" => options.child = true,
            "--keep" => options.keep = true,
            other => return Err(format!("there is no option {other}").into()),
        }
    }
    let document = match options.open {
        _ if options.child => open_once(&options.dir)?,
        Some(facts) => open(&options, facts)?,
        None => appends(&options)?,
    };
    println!("{}", serde_json::to_string_pretty(&document)?);
    if !options.keep && !options.child {
        std::fs::remove_dir_all(&options.dir)?;
    }
    Ok(())
}

/// A record of the usual size: about 350 bytes of body and what stands in its header.
fn draft(n: u64) -> Draft {
    let run = format!("R-{n}");
    let body = format!(
        "{{\"run\":\"{run}\",\"attempt\":1,\"rows\":{n},\"bytes\":{},\"digest\":\"{:064x}\",\"inputs\":[\"{:064x}\",\"{:064x}\"],\
         \"worker\":\"w-{}\",\"cpu_us\":{},\"note\":\"a fact of the usual size, as a run's end has it\"}}",
        n * 113,
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        n + 1,
        n + 2,
        n % 16,
        n * 7,
    );
    Draft {
        time: Timestamp::from_micros(1_700_000_000_000_000 + n as i64),
        account: "main".into(),
        actor: "service/scheduler".into(),
        request: None,
        kind: "attempt_ended".into(),
        kind_version: 1,
        ignorable: false,
        subject: format!("run/{run}"),
        reason: None,
        cause: Some(n.saturating_sub(3)),
        body: body.into_bytes(),
    }
}

fn groups(facts: usize, group: usize) -> Vec<Vec<Draft>> {
    let drafts: Vec<Draft> = (1..=facts as u64).map(draft).collect();
    drafts.chunks(group).map(<[Draft]>::to_vec).collect()
}

fn appends(options: &Options) -> Outcome<Value> {
    let mut results = Vec::new();
    for group in GROUPS {
        let (mut ours, mut theirs, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..options.rounds {
            // The rows are those that the journal writes, taken from one that it wrote.
            let run = |who: &str| options.dir.join(format!("{who}-{group}-{round}"));
            let journal_first = round % 2 == 0;
            let mut pair = [0.0; 2];
            let rows = rows_of(&run("rows"), group)?;
            for turn in 0..2 {
                if (turn == 0) == journal_first {
                    pair[0] = journal_alone(&run("journal"), options.facts, group)?;
                } else {
                    pair[1] = sqlite_alone(&run("sqlite"), &rows, options.facts)?;
                }
            }
            let [mine, its] = pair;
            ours.push(mine);
            theirs.push(its);
            shares.push(mine / its);
        }
        results.push(json!({
            "group": group,
            "journal_facts_per_s": spread(&ours, 0),
            "sqlite_facts_per_s": spread(&theirs, 0),
            "share": spread(&shares, 3),
        }));
    }
    Ok(json!({
        "bench": "journal",
        "facts": options.facts,
        "rounds": options.rounds,
        "sqlite": rusqlite::version(),
        "appends": results,
        "latency": latency(options)?,
        "reading": reading(options)?,
    }))
}

/// The sizes and values of the rows that the journal writes for one group, to be repeated.
fn rows_of(dir: &Path, group: usize) -> Outcome<Vec<Row>> {
    let mut journal = Journal::open(SqliteStore::new(dir), OpenOptions::write())?;
    journal.append((1..=group as u64).map(|n| draft(n + 100_000)).collect(), None)?;
    drop(journal);
    let database = Connection::open(dir.join("journal.db"))?;
    let mut statement = database.prepare("SELECT header, leaf, body FROM fact ORDER BY seq")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Facts per second of the journal.
fn journal_alone(dir: &Path, facts: usize, group: usize) -> Outcome<f64> {
    let groups = groups(facts, group);
    let mut journal = Journal::open(SqliteStore::new(dir), OpenOptions::write())?;
    let begun = Instant::now();
    for drafts in groups {
        journal.append(drafts, None)?;
    }
    let rate = facts as f64 / begun.elapsed().as_secs_f64();
    drop(journal);
    std::fs::remove_dir_all(dir)?;
    Ok(rate)
}

/// Facts per second of SQLite with the same table, the same settings and rows of the same sizes, and nothing else.
fn sqlite_alone(dir: &Path, rows: &[Row], facts: usize) -> Outcome<f64> {
    let mut database = sqlite(dir)?;
    let begun = Instant::now();
    let mut seq = 0;
    while (seq as usize) < facts {
        insert(&mut database, rows, &mut seq)?;
    }
    let rate = facts as f64 / begun.elapsed().as_secs_f64();
    drop(database);
    std::fs::remove_dir_all(dir)?;
    Ok(rate)
}

/// Opens a database with the journal's tables and settings.
fn sqlite(dir: &Path) -> Outcome<Connection> {
    let mut store = SqliteStore::new(dir);
    store.claim(None)?;
    drop(store);
    let database = Connection::open(dir.join("journal.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0; PRAGMA cache_size = -32768;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA secure_delete = 1",
    )?;
    Ok(database)
}

/// Inserts one group in one transaction.
fn insert(database: &mut Connection, rows: &[Row], seq: &mut i64) -> Outcome<()> {
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "INSERT INTO fact (seq, header, leaf, erased_by, body) VALUES (?1, ?2, ?3, NULL, ?4)";
    {
        let mut insert = transaction.prepare_cached(sql)?;
        for (header, leaf, body) in rows {
            *seq += 1;
            insert.execute(params![*seq, header, leaf, body])?;
        }
    }
    Ok(transaction.commit()?)
}

/// How long one frame takes when frames come at a tenth of the rate that the journal can take, and how long SQLite alone
/// takes for the same rows at the same pace.
fn latency(options: &Options) -> Outcome<Value> {
    let (mut ours, mut theirs, mut rates) = (Times::default(), Times::default(), vec![]);
    let facts = options.facts / 4;
    for round in 0..options.rounds {
        let dir = |who: &str| options.dir.join(format!("latency-{who}-{round}"));
        let rate = journal_alone(&dir("full"), facts, LATENCY_GROUP)? / 10.0;
        let pause = Duration::from_secs_f64(LATENCY_GROUP as f64 / rate);
        rates.push(rate);

        let mut journal = Journal::open(SqliteStore::new(dir("journal")), OpenOptions::write())?;
        let groups = groups(facts, LATENCY_GROUP);
        ours.add(pause, groups, |drafts| {
            journal.append(drafts, None).map(|_| ()).map_err(Into::into)
        })?;

        let rows = rows_of(&dir("rows"), LATENCY_GROUP)?;
        let mut database = sqlite(&dir("sqlite"))?;
        let mut seq = 0;
        let frames = facts / LATENCY_GROUP;
        theirs.add(pause, 0..frames, |_| insert(&mut database, &rows, &mut seq))?;
    }
    Ok(json!({
        "group": LATENCY_GROUP,
        "facts_per_s": spread(&rates, 0),
        "journal": ours.told(),
        "sqlite": theirs.told(),
    }))
}

/// The middle, the 99th hundredth and the worst of each round, in milliseconds.
#[derive(Default)]
struct Times {
    middle: Vec<f64>,
    tail: Vec<f64>,
    worst: Vec<f64>,
}

impl Times {
    /// Runs one frame each `pause` and adds a round.
    fn add<T>(
        &mut self,
        pause: Duration,
        frames: impl IntoIterator<Item = T>,
        mut append: impl FnMut(T) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut times = Vec::new();
        let begun = Instant::now();
        for (n, frame) in (0u32..).zip(frames) {
            let due = pause * n;
            while let Some(left) = due.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
                std::thread::park_timeout(left);
            }
            let start = Instant::now();
            append(frame)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| {
            times
                .get((times.len() as f64 * share) as usize)
                .copied()
                .unwrap_or(f64::NAN)
        };
        self.middle.push(at(0.5));
        self.tail.push(at(0.99));
        self.worst.push(times.last().copied().unwrap_or(f64::NAN));
        Ok(())
    }

    fn told(&self) -> Value {
        json!({ "p50_ms": spread(&self.middle, 3), "p99_ms": spread(&self.tail, 3), "max_ms": spread(&self.worst, 3) })
    }
}

/// How fast a journal is read, verified and proven from.
fn reading(options: &Options) -> Outcome<Value> {
    let dir = options.dir.join("reading");
    let mut journal = Journal::open(SqliteStore::new(&dir), OpenOptions::write())?;
    for drafts in groups(options.facts, 1000) {
        journal.append(drafts, None)?;
    }
    let key = SigningKey::generate(journal.origin())?;
    journal.checkpoint(&key)?;
    let (mut reads, mut verifications, mut proofs) = (vec![], vec![], vec![]);
    for round in 0..options.rounds {
        let begun = Instant::now();
        for record in journal.records(1, Default::default()) {
            record?;
        }
        reads.push(options.facts as f64 / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let found = journal.verify(
            &VerifyOptions {
                key: Some(key.verifier()),
                ..Default::default()
            },
            &mut |_, _| {},
        )?;
        if !found.ok {
            return Err(found.what.into());
        }
        verifications.push(options.facts as f64 / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        journal.prove(1 + (round * 7919 % options.facts) as u64)?;
        proofs.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let size = std::fs::metadata(dir.join("journal.db"))?.len();
    Ok(json!({
        "read_facts_per_s": spread(&reads, 0),
        "verify_facts_per_s": spread(&verifications, 0),
        "prove_ms": spread(&proofs, 3),
        "bytes_per_fact": size / options.facts as u64,
    }))
}

/// Builds a large journal, and opens it in processes of their own.
fn open(options: &Options, facts: u64) -> Outcome<Value> {
    let dir = options.dir.join("large");
    let built = Instant::now();
    let mut journal = Journal::open(SqliteStore::new(&dir), OpenOptions::write())?;
    while journal.head().last_seq < facts {
        let first = journal.head().last_seq + 1;
        let last = facts.min(first + 4999);
        journal.append((first..=last).map(draft).collect(), None)?;
    }
    if journal.load_snapshot(1)?.is_none() {
        journal.save_snapshot(1, &vec![7; 4 << 20])?;
    }
    drop(journal);
    let build_s = built.elapsed().as_secs_f64();
    let (mut opens, mut memory, mut proofs) = (vec![], vec![], vec![]);
    for _ in 0..options.rounds {
        let out = std::process::Command::new(std::env::current_exe()?)
            .arg("--child")
            .arg("--dir")
            .arg(&dir)
            .output()?;
        let told: Value = serde_json::from_slice(&out.stdout)?;
        let figure = |name: &str| {
            told.get(name)
                .and_then(Value::as_f64)
                .ok_or("the child told nothing")
        };
        opens.push(figure("open_ms")?);
        memory.push(figure("peak_mb")?);
        proofs.push(figure("prove_ms")?);
    }
    Ok(json!({
        "bench": "journal-open",
        "facts": facts,
        "rounds": options.rounds,
        "build_s": (build_s * 10.0).round() / 10.0,
        "database_mb": std::fs::metadata(dir.join("journal.db"))?.len() >> 20,
        "open_ms": spread(&opens, 1),
        "prove_ms": spread(&proofs, 1),
        "peak_mb": spread(&memory, 1),
    }))
}

/// Opens the journal for writing, loads its snapshot, reads its end and proves a record, and tells what that took.
fn open_once(dir: &Path) -> Outcome<Value> {
    let begun = Instant::now();
    let mut journal = Journal::open(SqliteStore::new(dir), OpenOptions::write())?;
    let (seq, _) = journal.load_snapshot(1)?.ok_or("there is no snapshot")?;
    let tail = journal.read(seq + 1, usize::MAX)?.len();
    let open_ms = begun.elapsed().as_secs_f64() * 1e3;
    let key = SigningKey::from_seed(journal.origin(), [1; 32])?;
    journal.checkpoint(&key)?;
    let begun = Instant::now();
    journal.prove(journal.head().last_seq / 3)?;
    let prove_ms = begun.elapsed().as_secs_f64() * 1e3;
    Ok(json!({ "open_ms": open_ms, "tail": tail, "prove_ms": prove_ms, "peak_mb": peak_mb()? }))
}

/// The most memory that this process had, as Linux counts it.
fn peak_mb() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    let kb: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kb / 1024.0)
}

/// The least, the middle and the most of some figures.
fn spread(figures: &[f64], digits: i32) -> Value {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let round = |figure: Option<&f64>| figure.map(|f| (f * 10f64.powi(digits)).round() / 10f64.powi(digits));
    json!({ "min": round(sorted.first()), "median": round(sorted.get(sorted.len() / 2)), "max": round(sorted.last()) })
}
