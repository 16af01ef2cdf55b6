//! Changes behind the journal's back: every one is found, and named where it begins.

use mainstay_base::Hash;
use mainstay_journal::store::conformance::Fixture;
use mainstay_journal::{Checkpoint, Journal, SigningKey, SqliteStore, Verification, VerifyOptions, verify};
use proptest::prelude::*;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use crate::place::{Folder, draft, everywhere, fill, key, write};

/// The journal that is tampered with: frames that end at 1, 200, 300, 556 and 700; checkpoints at 200, 300 and 700;
/// record 20 erased by record 701; a last frame up to 720 that no checkpoint covers.
fn specimen() -> (Folder, SigningKey) {
    let folder = Folder::new();
    let mut journal = write(&folder);
    let key = key(&journal);
    fill(&mut journal, &[1, 199]);
    journal.checkpoint(&key).expect("a checkpoint");
    fill(&mut journal, &[100]);
    journal.checkpoint(&key).expect("a checkpoint");
    fill(&mut journal, &[256, 144]);
    journal.checkpoint(&key).expect("a checkpoint");
    journal.erase(20, draft(701)).expect("a receipt");
    fill(&mut journal, &[19]);
    drop(journal);
    (folder, key)
}

fn found(store: SqliteStore, options: &VerifyOptions) -> Verification {
    verify(store, options, &mut |_, _| {}).expect("a verification")
}

fn options(key: &SigningKey) -> VerifyOptions {
    VerifyOptions {
        key: Some(key.verifier()),
        ..VerifyOptions::default()
    }
}

/// Runs `change` on the specimen and returns what verification then says.
fn tampered(change: impl FnOnce(&Connection)) -> Verification {
    let (folder, key) = specimen();
    assert!(found(folder.sqlite(), &options(&key)).ok);
    change(&folder.sql());
    let found = found(folder.sqlite(), &options(&key));
    assert_eq!(found.ok, found.first_bad.is_none());
    found
}

#[test]
fn an_untouched_journal_is_good() {
    let (folder, key) = specimen();
    let mut reports = Vec::new();
    let good = verify(folder.sqlite(), &options(&key), &mut |done, total| {
        reports.push((done, total))
    })
    .expect("an answer");
    assert_eq!(
        (good.facts, good.frames, good.checkpoints, good.ok),
        (720, 7, 3, true)
    );
    insta::assert_snapshot!(good.what, @"720 records in 7 frames, 3 checkpoints");
    assert_eq!(reports.last(), Some(&(720, 720)));
    let unsigned = found(folder.sqlite(), &VerifyOptions::default());
    insta::assert_snapshot!(unsigned.what, @"720 records in 7 frames, 3 checkpoints, their signatures not checked");
    let other = SigningKey::from_seed(key.name(), [9; 32]).expect("a key");
    assert_eq!(found(folder.sqlite(), &options(&other)).first_bad, Some(1));
    everywhere(|place| {
        let journal = write(place);
        let empty = journal
            .verify(&VerifyOptions::default(), &mut |_, _| {})
            .expect("an answer");
        assert_eq!((empty.ok, empty.facts), (true, 0));
    });
}

#[test]
fn every_change_is_found_where_it_begins() {
    let cases: &[(&str, u64)] = &[
        // Records.
        ("UPDATE fact SET body = x'00' WHERE seq = 5", 5),
        ("UPDATE fact SET body = NULL WHERE seq = 5", 5),
        ("UPDATE fact SET body = NULL, erased_by = 6 WHERE seq = 5", 5),
        ("UPDATE fact SET body = NULL, erased_by = 701 WHERE seq = 5", 5),
        ("UPDATE fact SET erased_by = 701 WHERE seq = 5", 5),
        ("UPDATE fact SET erased_by = 702 WHERE seq = 20", 20),
        ("UPDATE fact SET erased_by = NULL WHERE seq = 20", 20),
        (
            "UPDATE fact SET body = x'00', erased_by = NULL WHERE seq = 20",
            20,
        ),
        (
            "UPDATE fact SET body = (SELECT body FROM fact WHERE seq = 6) WHERE seq = 5",
            5,
        ),
        (
            "UPDATE fact SET header = (SELECT header FROM fact WHERE seq = 6) WHERE seq = 5",
            5,
        ),
        ("UPDATE fact SET leaf = zeroblob(8) WHERE seq = 555", 555),
        ("DELETE FROM fact WHERE seq = 1", 1),
        ("DELETE FROM fact WHERE seq = 250", 250),
        ("DELETE FROM fact WHERE seq = 720", 720),
        ("DELETE FROM fact WHERE seq BETWEEN 250 AND 400", 250),
        (
            "INSERT INTO fact SELECT 721, header, leaf, erased_by, body FROM fact WHERE seq = 720",
            721,
        ),
        (
            "INSERT INTO fact SELECT 0, header, leaf, erased_by, body FROM fact WHERE seq = 720",
            1,
        ),
        (
            "INSERT INTO fact SELECT -7, header, leaf, erased_by, body FROM fact WHERE seq = 720",
            1,
        ),
        (
            "UPDATE fact SET seq = -seq WHERE seq > 410; UPDATE fact SET seq = -seq + 1 WHERE seq < 0",
            411,
        ),
        (
            "UPDATE fact SET seq = -seq WHERE seq > 410; UPDATE fact SET seq = -seq + 1 WHERE seq < 0;
             INSERT INTO fact SELECT 411, header, leaf, erased_by, body FROM fact WHERE seq = 412",
            412,
        ),
        (
            "UPDATE fact SET seq = 9999 WHERE seq = 100; UPDATE fact SET seq = 100 WHERE seq = 110;
             UPDATE fact SET seq = 110 WHERE seq = 9999",
            100,
        ),
        // Frames: 1 begins at 1, 2 at 2, 3 at 201, 4 at 301, 5 at 557, 6 at 701, 7 at 702.
        ("UPDATE frame SET hash = zeroblob(32) WHERE number = 4", 301),
        (
            "UPDATE frame SET bytes = zeroblob(length(bytes)) WHERE number = 4",
            301,
        ),
        (
            "UPDATE frame SET bytes = (SELECT bytes FROM frame WHERE number = 4) WHERE number = 3",
            201,
        ),
        (
            "UPDATE frame SET (bytes, hash) = (SELECT bytes, hash FROM frame WHERE number = 4) WHERE number = 3",
            201,
        ),
        ("DELETE FROM frame WHERE number = 1", 1),
        ("DELETE FROM frame WHERE number = 4", 301),
        ("DELETE FROM frame WHERE number = 7", 702),
        (
            "INSERT INTO frame SELECT 8, bytes, hash FROM frame WHERE number = 7",
            721,
        ),
        (
            "INSERT INTO frame SELECT 0, bytes, hash FROM frame WHERE number = 7",
            1,
        ),
        ("DELETE FROM frame; DELETE FROM fact", 1),
        // Subtree hashes.
        ("UPDATE tile SET hash = zeroblob(32) WHERE number = 1", 257),
        ("DELETE FROM tile WHERE number = 0", 1),
        ("INSERT INTO tile VALUES (1, 2, zeroblob(32))", 513),
        ("INSERT INTO tile VALUES (2, 0, zeroblob(32))", 1),
        ("INSERT INTO tile VALUES (1, -1, zeroblob(32))", 1),
        // Checkpoints: 1 over 200, 2 over 300, 3 over 700.
        ("DELETE FROM checkpoint WHERE number = 2", 201),
        ("DELETE FROM checkpoint WHERE number = 1", 1),
        (
            "UPDATE checkpoint SET note = replace(note, '300', '301') WHERE number = 2",
            201,
        ),
        (
            "UPDATE checkpoint SET note = replace(note, '300', '3x0') WHERE number = 2",
            201,
        ),
        (
            "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE number = 1) WHERE number = 2",
            0,
        ),
        (
            "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE number = 1) WHERE number = 3",
            301,
        ),
        (
            "INSERT INTO checkpoint SELECT 0, note FROM checkpoint WHERE number = 1",
            1,
        ),
        // The end, cut off consistently.
        (
            "DELETE FROM fact WHERE seq > 556; DELETE FROM frame WHERE number > 4",
            557,
        ),
        (
            "DELETE FROM fact WHERE seq > 300; DELETE FROM frame WHERE number > 3; DELETE FROM tile WHERE number > 0",
            301,
        ),
        // The journal's own row.
        ("UPDATE journal SET epoch = 0", 1),
        ("UPDATE journal SET origin = 'mainstay/other'", 1),
        ("UPDATE journal SET origin = NULL", 1),
    ];
    for (sql, first) in cases {
        let found = tampered(|db| db.execute_batch(sql).expect(sql));
        // The same checkpoint twice says nothing wrong; a dropped one that leaves its number to another is no damage.
        let expected = Some(*first).filter(|first| *first > 0);
        assert_eq!(found.first_bad, expected, "{sql}: {}", found.what);
    }
}

#[test]
fn a_forger_who_fits_the_row_is_stopped_by_the_frame() {
    // Another actor in record 250, with the hash beside it made to fit: only the root of frame 3 can tell.
    let found = tampered(|db| {
        let header: Vec<u8> = db
            .query_row("SELECT header FROM fact WHERE seq = 250", [], |r| r.get(0))
            .expect("a header");
        let at = header.windows(3).position(|w| w == b"ada").expect("an actor");
        let mut forged = header;
        forged[at..at + 3].copy_from_slice(b"eve");
        let leaf = Sha256::new().chain_update([0]).chain_update(&forged).finalize();
        db.execute(
            "UPDATE fact SET header = ?1, leaf = ?2 WHERE seq = 250",
            params![forged, &leaf[..8]],
        )
        .expect("sql");
    });
    assert_eq!(found.first_bad, Some(201), "{}", found.what);
}

#[test]
fn a_forger_who_fits_the_frame_is_stopped_by_the_chain() {
    // A byte of the state digest's place or of the time of frame 4, with its hash made to fit: frame 5 does not follow it.
    let found = tampered(|db| {
        let mut bytes: Vec<u8> = db
            .query_row("SELECT bytes FROM frame WHERE number = 4", [], |r| r.get(0))
            .expect("a frame");
        bytes[30] ^= 1;
        let hash = Sha256::new()
            .chain_update(b"mainstay-frame-v1")
            .chain_update(&bytes)
            .finalize();
        db.execute(
            "UPDATE frame SET bytes = ?1, hash = ?2 WHERE number = 4",
            params![bytes, &hash[..]],
        )
        .expect("sql");
    });
    assert_eq!(found.first_bad, Some(301), "{}", found.what);
}

#[test]
fn a_journal_written_anew_is_stopped_by_its_checkpoints() {
    // All of it rewritten from record 250 on, hashes and all, by someone without the key.
    let (folder, key) = specimen();
    let forged = Folder::new();
    let mut journal = write(&forged);
    fill(&mut journal, &[1, 199]);
    let mut drafts: Vec<_> = (201..=300).map(draft).collect();
    drafts[49].actor = "eve".into();
    journal.append(drafts, None).expect("a receipt");
    fill(&mut journal, &[256, 144, 20]);
    drop(journal);
    let path = folder.0.path().join("journal.db");
    forged
        .sql()
        .execute("ATTACH ?1 AS real", [path.to_str()])
        .expect("sql");
    let sql = forged.sql();
    sql.execute("ATTACH ?1 AS real", [path.to_str()]).expect("sql");
    sql.execute_batch("INSERT INTO checkpoint SELECT * FROM real.checkpoint")
        .expect("sql");
    let found = found(forged.sqlite(), &options(&key));
    assert_eq!(found.first_bad, Some(201), "{}", found.what);
}

#[test]
fn a_kept_checkpoint_finds_what_was_cut_off_with_the_checkpoints() {
    let (folder, key) = specimen();
    let kept: Vec<Checkpoint> = {
        let sql = folder.sql();
        let mut notes = sql.prepare("SELECT note FROM checkpoint").expect("sql");
        let notes = notes.query_map([], |row| row.get::<_, String>(0)).expect("notes");
        notes
            .map(|note| Checkpoint::parse(&note.expect("a note")).expect("a checkpoint"))
            .collect()
    };
    let with = |kept: &[Checkpoint]| VerifyOptions {
        kept: kept.to_vec(),
        ..options(&key)
    };
    let good = found(folder.sqlite(), &with(&kept));
    assert_eq!((good.ok, good.checkpoints), (true, 6), "{good:?}");
    folder
        .sql()
        .execute_batch(
            "DELETE FROM fact WHERE seq > 300; DELETE FROM frame WHERE number > 3; DELETE FROM tile WHERE number > 0;
             DELETE FROM checkpoint WHERE number > 2; UPDATE fact SET body = x'00' WHERE seq = 20",
        )
        .expect("sql");
    // Record 20 was erased by one that is gone now; put its neighbour's fate aside and look at the end alone.
    let since = VerifyOptions {
        since: Some(201),
        ..options(&key)
    };
    assert!(
        found(folder.sqlite(), &since).ok,
        "cut off with everything about it"
    );
    let since = VerifyOptions {
        since: Some(201),
        ..with(&kept)
    };
    let bad = found(folder.sqlite(), &since);
    assert_eq!(bad.first_bad, Some(301), "{}", bad.what);
    let foreign = SigningKey::from_seed("mainstay/other", [3; 32]).expect("a key");
    let mut other = Journal::open(
        mainstay_journal::MemoryStore::new(),
        mainstay_journal::OpenOptions {
            origin: Some(foreign.name().into()),
            ..mainstay_journal::OpenOptions::write()
        },
    )
    .expect("a journal");
    fill(&mut other, &[200]);
    let foreign = other.checkpoint(&foreign).expect("a checkpoint");
    assert!(
        !found(
            folder.sqlite(),
            &VerifyOptions {
                since: Some(100),
                ..with(&[foreign])
            }
        )
        .ok
    );
}

#[test]
fn a_part_can_be_verified() {
    let (folder, key) = specimen();
    let since = |since| {
        found(
            folder.sqlite(),
            &VerifyOptions {
                since: Some(since),
                ..options(&key)
            },
        )
    };
    for (from, facts, checkpoints) in [
        (1, 720, 3),
        (2, 719, 2 + 1),
        (201, 520, 3),
        (250, 520, 3),
        (301, 420, 2),
        (557, 164, 1),
        (720, 19, 0),
        (9999, 0, 0),
    ] {
        let good = since(from);
        assert_eq!(
            (good.ok, good.facts, good.checkpoints),
            (true, facts, checkpoints),
            "{from}: {good:?}"
        );
    }
    folder
        .sql()
        .execute_batch("UPDATE fact SET body = x'00' WHERE seq IN (5, 600)")
        .expect("sql");
    assert_eq!(
        (since(1).first_bad, since(250).first_bad, since(702).first_bad),
        (Some(5), Some(600), None)
    );
}

/// Every column whose bytes the verification stands for, with the number that is named when a bit in it changes.
const COLUMNS: [(&str, &str, &str); 7] = [
    ("fact", "header", "seq"),
    ("fact", "body", "seq"),
    ("fact", "leaf", "seq"),
    ("frame", "bytes", "number"),
    ("frame", "hash", "number"),
    ("tile", "hash", "number"),
    ("checkpoint", "note", "number"),
];

#[test]
fn any_flipped_bit_is_found() {
    let (folder, key) = specimen();
    let sql = folder.sql();
    let frames = [1, 2, 201, 301, 557, 701, 702];
    let tiles = [1, 257];
    let checkpoints = [(1, 200), (201, 300), (301, 700)];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(200));
    let strategy = (0..COLUMNS.len(), any::<u64>(), any::<u64>(), 0u8..8);
    let result = runner.run(&strategy, |(column, row, byte, bit)| {
        let (table, column, number) = COLUMNS[column];
        let rows = match table {
            "fact" => 720,
            "frame" => 7,
            "tile" => 2,
            _ => 3,
        };
        let mut at = row % rows + u64::from(table != "tile");
        if (column, at) == ("body", 20) {
            at = 21;
        }
        let text = column == "note";
        let old: Vec<u8> = sql
            .query_row(
                &format!("SELECT CAST({column} AS BLOB) FROM {table} WHERE {number} = ?1"),
                [at as i64],
                |r| r.get(0),
            )
            .expect("a value");
        let mut new = old.clone();
        let byte = byte as usize % old.len();
        new[byte] ^= 1 << bit;
        let set = |bytes: Vec<u8>| {
            let cast = if text { "CAST(?1 AS TEXT)" } else { "?1" };
            sql.execute(
                &format!("UPDATE {table} SET {column} = {cast} WHERE {number} = ?2"),
                params![Value::Blob(bytes), at as i64],
            )
            .expect("an update");
        };
        set(new);
        let found = found(folder.sqlite(), &options(&key));
        set(old);
        let named = found.first_bad.expect("a finding");
        match table {
            "fact" => prop_assert_eq!(named, at, "{}", found.what),
            "frame" => prop_assert_eq!(named, frames[at as usize - 1], "{}", found.what),
            "tile" => prop_assert_eq!(named, tiles[at as usize], "{}", found.what),
            _ => prop_assert_eq!(named, checkpoints[at as usize - 1].0, "{}", found.what),
        }
        Ok(())
    });
    result.expect("every flip is found");
    assert!(found(folder.sqlite(), &options(&key)).ok);
}

#[test]
fn damaged_records_are_not_handed_out() {
    for sql in [
        "UPDATE fact SET body = x'00' WHERE seq = 5",
        "UPDATE fact SET body = NULL WHERE seq = 5",
        "UPDATE fact SET header = (SELECT header FROM fact WHERE seq = 6) WHERE seq = 5",
        "UPDATE fact SET (header, leaf) = (SELECT header, leaf FROM fact WHERE seq = 6) WHERE seq = 5",
        "UPDATE fact SET leaf = zeroblob(8) WHERE seq = 5",
        "DELETE FROM fact WHERE seq = 5",
    ] {
        let (folder, _) = specimen();
        folder.sql().execute_batch(sql).expect(sql);
        let journal = crate::place::read(&folder as &dyn Fixture);
        assert_eq!(journal.read(1, 4).expect("records").len(), 4);
        assert_eq!(journal.read(6, 4).expect("records").len(), 4);
        assert_eq!(
            journal.read(1, 9).expect_err(sql).kind(),
            mainstay_journal::Kind::Damaged,
            "{sql}"
        );
        assert!(journal.prove(5).is_err(), "{sql}");
    }
}

/// The root of a journal's tree as RFC 6962 defines it, from nothing but the header column.
#[test]
fn the_root_is_that_of_the_headers() {
    fn mth(d: &[Vec<u8>]) -> Vec<u8> {
        match d {
            [] => Sha256::digest([]).to_vec(),
            [one] => Sha256::new()
                .chain_update([0])
                .chain_update(one)
                .finalize()
                .to_vec(),
            _ => {
                let (left, right) = d.split_at((d.len().next_power_of_two()) / 2);
                Sha256::new()
                    .chain_update([1])
                    .chain_update(mth(left))
                    .chain_update(mth(right))
                    .finalize()
                    .to_vec()
            }
        }
    }
    let (folder, _) = specimen();
    let sql = folder.sql();
    let mut headers = sql.prepare("SELECT header FROM fact ORDER BY seq").expect("sql");
    let headers: Vec<Vec<u8>> = headers
        .query_map([], |row| row.get(0))
        .expect("headers")
        .map(|h| h.expect("a header"))
        .collect();
    let root = Hash::from_bytes(mth(&headers).try_into().expect("a hash"));
    assert_eq!(crate::place::read(&folder as &dyn Fixture).root(), root);
}
