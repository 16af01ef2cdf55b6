//! Who goes next: runs that wait for a place.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) on two levels, between accounts and between the classes of each, over
//! the time for which places are held: what a run will take is estimated from those before it when it starts, and put right when it
//! ends, as the API priority and fairness of Kubernetes does. Who comes after a rest begins where the others stand: rest is not saved up.
//!
//! Invariants: no limit and no capacity is ever exceeded; whoever can start does, unless an older one waits for the same limit; an
//! account's single run waits for one place to become free, however many wait in another account.

use std::collections::BTreeMap;

use mainstay_model::queue::Class;

mod limits;
mod line;
mod share;
mod waits;

#[cfg(test)]
mod tests;

pub use limits::{is_left_alone, takes};
use line::Lines;
use share::Shares;
pub use waits::{Full, Used, Waits, used, waits};

/// What a run takes of a limit while it goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Take {
    /// The limit.
    pub limit: String,
    /// How much of it.
    pub units: u32,
    /// How much there is.
    pub at_most: u32,
}

/// A run that wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Whose it is.
    pub account: String,
    /// How urgent it is.
    pub class: Class,
    /// What it takes of the limits of its account.
    pub takes: Vec<Take>,
}

/// Stands for a wish for as long as it waits or goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What a run holds while it goes on.
#[derive(Debug)]
struct Going {
    account: String,
    class: Class,
    takes: Vec<Take>,
    /// The time that it was expected to take, in microseconds.
    expected: u64,
}

/// An account's part.
#[derive(Debug, Default)]
struct Account {
    classes: Shares<Class>,
    lines: BTreeMap<Class, Lines>,
    /// By limit, what is taken of it.
    taken: BTreeMap<String, u32>,
    /// What a run takes, by those that ended, in microseconds.
    usual: u64,
}

/// The runs that wait, and those that go on.
#[derive(Debug)]
pub struct Queue {
    /// How many may go on at once.
    capacity: usize,
    last: u64,
    accounts: BTreeMap<String, Account>,
    shares: Shares<String>,
    waiting: BTreeMap<Ticket, Wish>,
    going: BTreeMap<Ticket, Going>,
}

/// What a run is taken to need before any has ended, in microseconds.
const UNKNOWN: u64 = 1_000_000;

impl Queue {
    /// A queue in which so many may go on at once.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            last: 0,
            accounts: BTreeMap::new(),
            shares: Shares::default(),
            waiting: BTreeMap::new(),
            going: BTreeMap::new(),
        }
    }

    /// Sets how many may go on at once. Those that do go on.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
    }

    /// Sets what an account's part is, in proportion to others; 1 if it is never set.
    pub fn set_weight(&mut self, account: &str, weight: u32) {
        self.shares.of(&account.to_owned()).set_weight(weight);
    }

    /// Puts a wish in line.
    pub fn enter(&mut self, mut wish: Wish) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        for take in &mut wish.takes {
            // What wants more than there is goes alone.
            take.at_most = take.at_most.max(1);
            take.units = take.units.min(take.at_most);
        }
        self.shares.wake(&wish.account);
        let account = self.accounts.entry(wish.account.clone()).or_default();
        account.classes.of(&wish.class).set_weight(weight(wish.class));
        account.classes.wake(&wish.class);
        let lines = account.lines.entry(wish.class).or_default();
        lines.push(ticket, &wish.takes);
        self.waiting.insert(ticket, wish);
        ticket
    }

    /// Lets all start that can. They go on until they [leave](Self::leave).
    pub fn admit(&mut self) -> Vec<Ticket> {
        let mut started = Vec::new();
        while self.going.len() < self.capacity {
            let Some(ticket) = self.first() else { break };
            self.start(ticket);
            started.push(ticket);
        }
        started
    }

    /// Says that a run has ended, after so many microseconds, or is not wanted any more.
    pub fn leave(&mut self, ticket: Ticket, took: u64) {
        if let Some(wish) = self.waiting.remove(&ticket) {
            if let Some(account) = self.accounts.get_mut(&wish.account) {
                if let Some(lines) = account.lines.get_mut(&wish.class) {
                    lines.remove(ticket, &wish.takes);
                }
                account.classes.of(&wish.class).forget();
            }
            self.shares.of(&wish.account).forget();
            return;
        }
        let Some(going) = self.going.remove(&ticket) else {
            return;
        };
        let Some(account) = self.accounts.get_mut(&going.account) else {
            return;
        };
        for take in &going.takes {
            if let Some(taken) = account.taken.get_mut(&take.limit) {
                *taken = taken.saturating_sub(take.units);
            }
        }
        account.taken.retain(|_, taken| *taken > 0);
        account.usual = match account.usual {
            0 => took.max(1),
            usual => (usual / 8 * 7 + took / 8).max(1),
        };
        account.classes.of(&going.class).end(going.expected, took);
        self.shares.of(&going.account).end(going.expected, took);
    }

    /// Says whether a wish still waits.
    pub fn waits(&self, ticket: Ticket) -> bool {
        self.waiting.contains_key(&ticket)
    }

    /// Returns how many wait, and how many go on.
    pub fn counts(&self) -> (usize, usize) {
        (self.waiting.len(), self.going.len())
    }

    fn first(&self) -> Option<Ticket> {
        self.shares.in_order().into_iter().find_map(|name| {
            let account = self.accounts.get(name)?;
            // What the one who is first in line waits for is not taken by those behind it.
            let mut kept = Vec::new();
            let classes = account.classes.in_order();
            classes
                .into_iter()
                .find_map(|class| account.lines.get(class)?.first(&account.taken, &mut kept))
        })
    }

    fn start(&mut self, ticket: Ticket) {
        let Some(wish) = self.waiting.remove(&ticket) else {
            return;
        };
        let Some(account) = self.accounts.get_mut(&wish.account) else {
            return;
        };
        if let Some(lines) = account.lines.get_mut(&wish.class) {
            lines.remove(ticket, &wish.takes);
        }
        for take in &wish.takes {
            *account.taken.entry(take.limit.clone()).or_default() += take.units;
        }
        let expected = match account.usual {
            0 => UNKNOWN,
            usual => usual,
        };
        account.classes.start(&wish.class, expected);
        self.shares.start(&wish.account, expected);
        let going = Going {
            account: wish.account,
            class: wish.class,
            takes: wish.takes,
            expected,
        };
        self.going.insert(ticket, going);
    }
}

/// What a class gets beside the others of its account, in proportion.
const fn weight(class: Class) -> u32 {
    match class {
        Class::Interactive => 16,
        Class::Scheduled => 4,
        Class::Backfill => 1,
    }
}
