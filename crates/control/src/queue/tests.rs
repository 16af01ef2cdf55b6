//! Random work against what must hold at every moment, and the promises of the module's first lines.

use std::collections::BTreeMap;

use mainstay_model::queue::Class;
use proptest::prelude::*;

use super::{Queue, Take, Ticket, Wish};

fn wish(account: &str, class: Class, takes: &[(&str, u32, u32)]) -> Wish {
    let takes = takes.iter().map(|(limit, units, at_most)| Take {
        limit: (*limit).to_owned(),
        units: *units,
        at_most: *at_most,
    });
    Wish {
        account: account.to_owned(),
        class,
        takes: takes.collect(),
    }
}

const LIMITS: [(&str, u32); 3] = [("a", 1), ("b", 3), ("c", 5)];

/// What may happen to a queue.
#[derive(Clone, Debug)]
enum Step {
    Enter(u8, Class, Vec<(usize, u32)>),
    Leave(usize, u64),
    GiveUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let class = prop::sample::select(Class::ALL.to_vec());
    let takes = prop::collection::btree_map(0..LIMITS.len(), 1..4u32, 0..3);
    prop_oneof![
        4 => (0..3u8, class, takes).prop_map(|(a, c, t)| Step::Enter(a, c, t.into_iter().collect())),
        3 => (any::<usize>(), 1..10_000u64).prop_map(|(n, took)| Step::Leave(n, took)),
        1 => any::<usize>().prop_map(Step::GiveUp),
    ]
}

proptest! {
    /// An own count of who holds what says whether a limit was exceeded, and whether anybody waits who need not.
    #[test]
    fn limits_are_kept_and_nobody_waits_in_vain(capacity in 1..5usize, steps in prop::collection::vec(step(), 1..80)) {
        let mut queue = Queue::new(capacity);
        let mut wishes: BTreeMap<Ticket, (String, Vec<(usize, u32)>)> = BTreeMap::new();
        let (mut waiting, mut going): (Vec<Ticket>, Vec<Ticket>) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Enter(account, class, takes) => {
                    let account = account.to_string();
                    let named: Vec<_> = takes.iter().map(|(l, u)| (LIMITS[*l].0, *u, LIMITS[*l].1)).collect();
                    let ticket = queue.enter(wish(&account, class, &named));
                    wishes.insert(ticket, (account, takes));
                    waiting.push(ticket);
                }
                Step::Leave(n, took) if !going.is_empty() => queue.leave(going.remove(n % going.len()), took),
                Step::GiveUp(n) if !waiting.is_empty() => queue.leave(waiting.remove(n % waiting.len()), 0),
                Step::Leave(..) | Step::GiveUp(_) => {}
            }
            for ticket in queue.admit() {
                waiting.retain(|t| *t != ticket);
                going.push(ticket);
            }
            prop_assert_eq!(queue.counts(), (waiting.len(), going.len()));
            prop_assert!(going.len() <= capacity);
            let mut held: BTreeMap<(&str, usize), u32> = BTreeMap::new();
            for (account, takes) in going.iter().map(|t| &wishes[t]) {
                for (limit, units) in takes {
                    // One that takes more than there is holds all there is.
                    *held.entry((account, *limit)).or_default() += (*units).min(LIMITS[*limit].1);
                }
            }
            for ((_, limit), units) in &held {
                prop_assert!(*units <= LIMITS[*limit].1, "limit {limit}: {units}");
            }
            if going.len() < capacity {
                // What a blocked one lacks may be kept for it; all others could go.
                let blocked = |(account, takes): &(String, Vec<(usize, u32)>)| -> Vec<(String, usize)> {
                    let full = takes.iter().filter(|(l, u)| {
                        let held = held.get(&(account.as_str(), *l)).copied().unwrap_or_default();
                        held + (*u).min(LIMITS[*l].1) > LIMITS[*l].1
                    });
                    full.map(|(l, _)| (account.clone(), *l)).collect()
                };
                let kept: Vec<(String, usize)> = waiting.iter().flat_map(|t| blocked(&wishes[t])).collect();
                for ticket in &waiting {
                    let (account, takes) = &wishes[ticket];
                    let waits = takes.iter().any(|(l, _)| kept.contains(&(account.clone(), *l)));
                    prop_assert!(waits, "{ticket:?} could go");
                }
            }
        }
    }

    /// Two accounts that always want more get what their weights say, however different their runs are.
    #[test]
    fn time_is_shared_by_weight(
        capacity in 1..4usize,
        weights in (1..5u32, 1..5u32),
        lengths in (1_000..200_000u64, 1_000..200_000u64),
    ) {
        let mut queue = Queue::new(capacity);
        queue.set_weight("a", weights.0);
        queue.set_weight("b", weights.1);
        let length = |account: &str| if account == "a" { lengths.0 } else { lengths.1 };
        let mut who: BTreeMap<Ticket, &str> = BTreeMap::new();
        let mut ends: Vec<(u64, Ticket)> = Vec::new();
        let (mut now, mut had) = (0u64, BTreeMap::from([("a", 0u64), ("b", 0u64)]));
        let enter = |queue: &mut Queue, who: &mut BTreeMap<Ticket, &'static str>, account: &'static str| {
            who.insert(queue.enter(wish(account, Class::Scheduled, &[])), account);
        };
        for account in ["a", "b"] {
            (0..4).for_each(|_| enter(&mut queue, &mut who, account));
        }
        for _ in 0..4_000 {
            for ticket in queue.admit() {
                let account = who[&ticket];
                ends.push((now + length(account), ticket));
                enter(&mut queue, &mut who, account);
            }
            ends.sort_unstable();
            let (at, ticket) = ends.remove(0);
            now = at;
            *had.entry(who[&ticket]).or_default() += length(who[&ticket]);
            queue.leave(ticket, length(who[&ticket]));
        }
        let (a, b) = (had["a"] / u64::from(weights.0), had["b"] / u64::from(weights.1));
        // What differs is what goes on, and what was estimated before the first ended.
        let slack = (capacity as u64 + 2) * lengths.0.max(lengths.1).max(super::UNKNOWN);
        prop_assert!(a.abs_diff(b) <= slack, "{had:?} by {weights:?}: {a} and {b}");
    }
}

#[test]
fn one_run_beside_a_hundred_thousand_waits_for_one_place() {
    let mut queue = Queue::new(2);
    for _ in 0..100_000 {
        let _ = queue.enter(wish("many", Class::Interactive, &[("account", 1, 2)]));
    }
    let first = queue.admit();
    assert_eq!(first.len(), 2);
    let one = queue.enter(wish("one", Class::Backfill, &[("account", 1, 2)]));
    assert_eq!(queue.admit(), []);
    queue.leave(first[0], 5_000);
    assert_eq!(queue.admit(), [one]);
}

#[test]
fn a_person_waits_for_one_place_beside_a_backfill() {
    let mut queue = Queue::new(1);
    for _ in 0..1_000 {
        let _ = queue.enter(wish("a", Class::Backfill, &[]));
    }
    let [first] = queue.admit()[..] else {
        panic!("one place")
    };
    let person = queue.enter(wish("a", Class::Interactive, &[]));
    queue.leave(first, 1_000_000);
    assert_eq!(queue.admit(), [person]);
}

#[test]
fn a_backfill_goes_on_beside_people_who_never_stop() {
    let mut queue = Queue::new(1);
    let backfill = queue.enter(wish("a", Class::Backfill, &[]));
    let mut person = queue.enter(wish("a", Class::Interactive, &[]));
    for n in 0.. {
        let [next] = queue.admit()[..] else {
            panic!("one place")
        };
        if next == backfill {
            return;
        }
        assert!(n < 20, "it starves");
        assert_eq!(next, person);
        person = queue.enter(wish("a", Class::Interactive, &[]));
        queue.leave(next, 1_000_000);
    }
}

#[test]
fn who_takes_much_is_not_overtaken_for_ever_by_those_who_take_little() {
    let mut queue = Queue::new(10);
    let small = |queue: &mut Queue| queue.enter(wish("a", Class::Interactive, &[("db", 1, 3)]));
    let mut going = vec![small(&mut queue)];
    assert_eq!(queue.admit(), going);
    let large = queue.enter(wish("a", Class::Interactive, &[("db", 3, 3)]));
    let later = small(&mut queue);
    assert_eq!(queue.admit(), []);
    queue.leave(going.remove(0), 1);
    assert_eq!(queue.admit(), [large]);
    queue.leave(large, 1);
    assert_eq!(queue.admit(), [later]);
}

#[test]
fn rest_is_not_saved_up() {
    let mut queue = Queue::new(1);
    for _ in 0..100 {
        let ticket = queue.enter(wish("busy", Class::Interactive, &[]));
        assert_eq!(queue.admit(), [ticket]);
        queue.leave(ticket, 1_000_000);
    }
    // Both want much now: they take turns, and the one that rested does not go a hundred times first.
    let mut mine = Vec::new();
    for _ in 0..10 {
        mine.push(queue.enter(wish("rested", Class::Interactive, &[])));
        let _ = queue.enter(wish("busy", Class::Interactive, &[]));
    }
    let mut first = Vec::new();
    for _ in 0..10 {
        let [next] = queue.admit()[..] else {
            panic!("one place")
        };
        first.push(mine.contains(&next));
        queue.leave(next, 1_000_000);
    }
    assert_eq!(first.iter().filter(|m| **m).count(), 5, "{first:?}");
}
