//! A journal in a real PostgreSQL: what is answered is there, once, whatever happens to the server and the connections.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mainstay_journal::store::conformance::Fixture;
use mainstay_journal::store::postgres::Address;
use mainstay_journal::{
    Error, Journal, Kind, Mode, OpenOptions, PostgresStore, Receipt, Store, VerifyOptions, verify,
};

use crate::place::{draft, fill};
use crate::postgres_server::{PASSWORD, Postgres, free_port};
use crate::proxy::{Cut, Proxy};

/// A schema of its own.
#[derive(Debug)]
pub(crate) struct Schema<'a> {
    server: &'a Postgres,
    name: String,
}

impl<'a> Schema<'a> {
    pub(crate) fn new(server: &'a Postgres) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("journal_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Self { server, name }
    }
}

impl Fixture for Schema<'_> {
    fn store(&self) -> Box<dyn Store> {
        Box::new(store(&self.server.url(&self.name)))
    }

    fn break_lock(&self) {
        self.server
            .sql(&format!("UPDATE {}.journal SET holder = NULL", self.name));
    }
}

pub(crate) fn store(url: &str) -> PostgresStore {
    PostgresStore::new(Address::parse(url, None).expect("an address"))
}

pub(crate) fn write(url: &str) -> Result<Journal, Error> {
    Journal::open(store(url), OpenOptions::write())
}

fn wait(url: &str, seconds: u64) -> Result<Journal, Error> {
    let mode = Mode::Write {
        wait: Some(Duration::from_secs(seconds)),
    };
    Journal::open(
        store(url),
        OpenOptions {
            mode,
            ..OpenOptions::write()
        },
    )
}

pub(crate) fn append(journal: &mut Journal, n: u64) -> Result<Receipt, Error> {
    journal.append(vec![draft(n)], None)
}

/// Checks that the journal has exactly what was acknowledged, and that every hash in it holds.
pub(crate) fn check(url: &str, receipts: &[Receipt]) {
    let journal = Journal::open(store(url), OpenOptions::read()).expect("a journal");
    for (n, receipt) in (1..).zip(receipts) {
        assert_eq!((receipt.first_seq, receipt.frame), (n, n));
        assert!(
            journal.holds(receipt).expect("an answer"),
            "frame {n} was acknowledged"
        );
    }
    let records = journal.read(1, receipts.len() + 10).expect("records");
    let bodies: Vec<_> = records.iter().filter_map(|record| record.body.clone()).collect();
    let sent: Vec<_> = (1..=receipts.len() as u64).map(|n| draft(n).body).collect();
    assert!(bodies == sent, "{} of {} are there", bodies.len(), sent.len());
    let found = verify(store(url), &VerifyOptions::default(), &mut |_, _| {}).expect("a verification");
    assert!(found.ok, "{found:?}");
}

#[test]
fn a_server_that_dies_while_frames_are_appended_loses_none_and_doubles_none() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let url = server.url("j");
    let mut journal = write(&url).expect("a journal");
    let appended = AtomicUsize::new(0);
    let ends = AtomicUsize::new(0);
    let receipts = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut receipts = Vec::new();
            while ends.load(Ordering::SeqCst) == 0 {
                receipts.push(append(&mut journal, receipts.len() as u64 + 1).expect("a receipt"));
                appended.store(receipts.len(), Ordering::SeqCst);
            }
            receipts
        });
        for round in 0..4 {
            let before = appended.load(Ordering::SeqCst);
            until(|| appended.load(Ordering::SeqCst) > before + 20);
            if round % 2 == 0 {
                server.kill();
            } else {
                server.stop_immediately();
            }
            server.launch();
        }
        let before = appended.load(Ordering::SeqCst);
        until(|| appended.load(Ordering::SeqCst) > before + 20);
        ends.store(1, Ordering::SeqCst);
        writer.join().expect("a writer")
    });
    assert!(receipts.len() > 100);
    check(&url, &receipts);
}

#[test]
fn a_connection_that_is_cut_while_it_commits_leaves_the_frame_there_once() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let proxy = Proxy::to(server.port());
    let mut journal = write(&Postgres::url_at(proxy.port, "j")).expect("a journal");
    let mut receipts = Vec::new();
    for n in 1..=24 {
        let cut = match n % 4 {
            1 => Some(Cut::Before),
            2 => Some(Cut::After),
            3 => Some(Cut::Late),
            _ => None,
        };
        if let Some(cut) = cut {
            proxy.cut_next(cut);
        }
        receipts.push(append(&mut journal, n).unwrap_or_else(|e| panic!("{n}, {cut:?}: {e:?}")));
    }
    assert_eq!(proxy.cuts(), 18);
    check(&server.url("j"), &receipts);
}

#[test]
fn a_writer_that_was_frozen_writes_nothing_when_it_wakes() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let proxy = Proxy::to(server.port());
    let url = server.url("j");
    let mut old = write(&Postgres::url_at(proxy.port, "j")).expect("a journal");
    let first = append(&mut old, 1).expect("a receipt");
    let refused = write(&url).expect_err("it has a writer");
    assert_eq!(
        (refused.kind(), refused.holder()),
        (Kind::Locked, Some(std::process::id()))
    );

    proxy.hold(true);
    let begun = Instant::now();
    let mut new = wait(&url, 30).expect("its lease ends");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(new.head().epoch, old.head().epoch + 1);
    let second = append(&mut new, 2).expect("a receipt");
    proxy.hold(false);

    for _ in 0..2 {
        let refused = append(&mut old, 77).expect_err("its epoch is over");
        assert_eq!(refused.kind(), Kind::Fenced, "{refused:?}");
    }
    drop(old);
    let third = append(&mut new, 3).expect("the old one's end changes nothing");
    assert_eq!(write(&url).expect_err("it has a writer").kind(), Kind::Locked);
    drop(new);
    drop(write(&url).expect("it was given back"));
    check(&url, &[first, second, third]);
}

#[test]
fn a_long_append_keeps_the_lease() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let url = server.url("j");
    let mut journal = write(&url).expect("a journal");
    fill(&mut journal, &[1, 40_000]);
    let big = vec![7; 30 << 20];
    let mut record = draft(3);
    record.body.clone_from(&big);
    journal.append(vec![record], None).expect("a receipt");
    let other = Journal::open(store(&url), OpenOptions::read()).expect("a reader");
    assert_eq!(other.head(), journal.head());
    assert_eq!(other.record(40_002).expect("a record").body, Some(big));
    assert_eq!(write(&url).expect_err("it has a writer").kind(), Kind::Locked);
    let found = verify(store(&url), &VerifyOptions::default(), &mut |_, _| {}).expect("a verification");
    assert!(found.ok && found.facts == 40_002, "{found:?}");
}

#[test]
fn a_server_that_is_not_there_is_said_at_once_and_without_the_password() {
    let url = Postgres::url_at(free_port(), "j");
    let begun = Instant::now();
    for opened in [write(&url), Journal::open(store(&url), OpenOptions::read())] {
        let e = opened.expect_err("nobody answers");
        assert_eq!(e.kind(), Kind::Unavailable);
        let said = format!("{e} {e:?}");
        assert!(
            said.contains("cannot be reached") && said.contains("127.0.0.1"),
            "{said}"
        );
        assert!(!said.contains("s3cret"), "{said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn who_may_not_or_cannot_is_told_why() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let right = server.url("j");
    let wrong = right.replacen(":s3cret", ":wrong", 1);
    let e = write(&wrong).expect_err("a wrong password");
    assert_eq!(e.kind(), Kind::Unavailable);
    assert!(e.to_string().contains("does not let this user in"), "{e}");
    let elsewhere = right.replacen("/postgres?", "/nowhere?", 1);
    let e = write(&elsewhere).expect_err("no database");
    assert!(e.to_string().contains("no such database"), "{e}");
    let e = Journal::open(store(&right), OpenOptions::read()).expect_err("not begun");
    assert_eq!(e.kind(), Kind::Missing);

    let told = Address::parse(&server.socket_url("j"), Some(PASSWORD)).expect("an address");
    drop(Journal::open(PostgresStore::new(told), OpenOptions::write()).expect("over the socket"));

    server.stop_immediately();
    server.set("fsync=off");
    server.launch();
    let e = write(&right).expect_err("nothing is durable there");
    assert!(e.to_string().contains("fsync = off"), "{e}");
}

#[test]
fn a_database_that_forgot_what_it_had_confirmed_is_found_out() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let url = server.url("j");
    let mut journal = write(&url).expect("a journal");
    fill(&mut journal, &[1, 1]);
    server.sql("CREATE TABLE j.kept AS SELECT last_frame, last_hash FROM j.journal");
    fill(&mut journal, &[1]);
    server.sql(
        "DELETE FROM j.fact WHERE seq = 3; DELETE FROM j.frame WHERE number = 3;
         UPDATE j.journal SET last_frame = kept.last_frame, last_hash = kept.last_hash FROM j.kept",
    );
    let e = append(&mut journal, 4).expect_err("the third frame is gone");
    assert_eq!(e.kind(), Kind::Damaged);
    assert!(
        e.to_string().contains("gone back in time: it ends with frame 2"),
        "{e}"
    );
    drop(journal);
    server.sql("DELETE FROM j.frame WHERE number = 2");
    let e = write(&url).expect_err("a frame is missing");
    assert!(
        e.kind() == Kind::Damaged && e.to_string().contains("the leader row says 2"),
        "{e}"
    );
}

#[test]
fn a_connection_is_encrypted_to_a_server_that_proves_who_it_is() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = server.file("server.pem", &own.cert.pem());
    let key = server.file("server.key", &own.signing_key.serialize_pem());
    let stranger = server.file("other.pem", &other.cert.pem());
    server.stop_immediately();
    server.set("ssl=on");
    server.set(&format!("ssl_cert_file={}", certificate.display()));
    server.set(&format!("ssl_key_file={}", key.display()));
    server.launch();
    let url = |host: &str, root: &std::path::Path| {
        let url = server.url("j").replacen("127.0.0.1", host, 1);
        format!("{url}&sslmode=verify-full&sslrootcert={}", root.display())
    };
    let mut journal = write(&url("localhost", &certificate)).expect("a journal");
    append(&mut journal, 1).expect("a receipt");
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'mainstay'";
    assert_eq!(server.sql(encrypted), "t");
    for (host, root) in [("localhost", &stranger), ("127.0.0.1", &certificate)] {
        let e = Journal::open(store(&url(host, root)), OpenOptions::read()).expect_err("not who it says");
        let said = format!("{e:?}");
        assert!(
            e.kind() == Kind::Unavailable && said.contains("InvalidCertificate"),
            "{said}"
        );
    }
}

fn until(reached: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !reached() {
        assert!(Instant::now() < deadline, "it does not come about");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
