//! A reader that follows a writer and takes over from it, and what both are told of each other.

use std::time::{Duration, Instant};

use mainstay_journal::{Journal, Kind, MemoryStore, OpenOptions};

use crate::place::draft;
use crate::postgres::{append, check, store, write};
use crate::postgres_server::Postgres;
use crate::proxy::{Cut, Proxy};

fn until(limit: Duration, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < limit, "waited in vain");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_reader_takes_over_when_the_writer_gives_the_journal_back() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let url = server.url("given");
    let mut first = write(&url).expect("a journal");
    let mut receipts = vec![append(&mut first, 1).expect("a receipt")];
    let mut second = Journal::open(store(&url), OpenOptions::read()).expect("a reader");
    receipts.push(append(&mut first, 2).expect("a receipt"));

    let leader = second.leader().expect("an answer").expect("a leader");
    assert_eq!(leader.pid, Some(std::process::id()));
    assert!(!leader.free && !leader.released, "{leader:?}");
    assert_eq!((leader.frame, leader.epoch), (2, first.head().epoch));
    let refused = second.lead().expect_err("there is a writer");
    assert_eq!(refused.kind(), Kind::Locked, "{refused}");
    // Refused, it is the reader that it was.
    assert_eq!(second.refresh().expect("the head").last_seq, 2);
    assert!(second.lease().is_none() && !second.can_write());

    drop(first);
    let leader = second.leader().expect("an answer").expect("a leader");
    assert!(leader.free && leader.released, "{leader:?}");
    let head = second.lead().expect("nobody else writes");
    assert_eq!((head.last_seq, head.epoch), (2, leader.epoch + 1));
    receipts.push(append(&mut second, 3).expect("a receipt"));
    assert_eq!(second.lead().expect_err("it writes").kind(), Kind::Invalid);
    drop(second);
    check(&url, &receipts);
}

#[test]
fn a_writer_that_sleeps_within_a_transaction_is_followed_and_told_when_it_wakes() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let proxy = Proxy::to(server.port());
    let through = Postgres::url_at(proxy.port, "asleep");
    let url = server.url("asleep");
    let mut asleep = write(&through).expect("a journal");
    let mut receipts = vec![append(&mut asleep, 1).expect("a receipt")];
    let lease = asleep.lease().expect("a turn");
    assert!(!lease.is_over() && lease.silent_for() < Duration::from_secs(3));
    let mut next = Journal::open(store(&url), OpenOptions::read()).expect("a reader");

    let fenced = std::thread::scope(|scope| {
        proxy.cut_next(Cut::Sleep);
        // All of the frame is in the database, under the lock on the leader row; the commit is not.
        let append = scope.spawn(|| asleep.append(vec![draft(99)], None).expect_err("it overslept"));
        let slept = Instant::now();
        until(Duration::from_secs(10), || {
            next.leader()
                .expect("an answer")
                .is_some_and(|leader| leader.free)
        });
        next.lead().expect("its lease is over");
        let took = slept.elapsed();
        assert!(took < Duration::from_secs(8), "{took:?}");
        receipts.push(append_next(&mut next));
        assert!(lease.silent_for() > Duration::from_secs(2));
        assert!(!lease.is_over(), "nobody could tell it yet");
        proxy.hold(false);
        until(Duration::from_secs(20), || lease.is_over());
        append.join().expect("it ends")
    });
    assert_eq!(fenced.kind(), Kind::Fenced, "{fenced}");
    drop(next);
    check(&url, &receipts);
}

fn append_next(journal: &mut Journal) -> mainstay_journal::Receipt {
    append(journal, 2).expect("a receipt")
}

#[test]
fn where_nobody_can_take_over_there_is_no_leader_to_ask_for() {
    let store = MemoryStore::new();
    let mut journal = Journal::open(store, OpenOptions::write()).expect("a journal");
    journal.append(vec![draft(1)], None).expect("a receipt");
    assert_eq!(journal.leader().expect("an answer"), None);
    assert!(journal.lease().is_none());
}
