//! Promises set off what they take, in time and never for the past, and say who is to blame before they are missed.

use mainstay_base::Hash;
use mainstay_model::SliceKey;
use mainstay_model::fact::{Published, PublishedDataset, PublishedSlice, RunFinished, RunRecorded};
use mainstay_model::queue::Class;
use mainstay_model::resource::Resource;
use mainstay_model::run::{Input, Pinned, Scope, Usage};
use mainstay_model::schema::Schema;
use mainstay_model::spec::{Compiled, JobSpec, Reads, Retries};
use proptest::prelude::*;

use super::*;
use crate::command::Command;
use crate::decide::decide;

const MINUTE: i64 = 60_000;

fn name(text: &str) -> DatasetName {
    text.parse().expect("a name")
}

fn job(dataset: &str, reads: &str, code: &str) -> Resource {
    let compiled = Compiled {
        code: Hash::of(code.as_bytes()),
        reads: BTreeMap::from([(name(reads), Reads::All)]),
        columns: Schema(Vec::new()),
        origins: None,
        widened: Vec::new(),
    };
    let spec = JobSpec {
        description: None,
        sql: code.to_owned(),
        slice: Vec::new(),
        retries: Retries::default(),
        time_limit_ms: None,
        retain: None,
        circuit_breaker: None,
        uses: BTreeMap::new(),
        compiled,
    };
    Resource {
        name: dataset.to_owned(),
        tags: BTreeMap::new(),
        spec: Spec::Job(Box::new(spec)),
    }
}

fn promise(dataset: &str, minutes: u64) -> Resource {
    Resource {
        name: dataset.to_owned(),
        tags: BTreeMap::new(),
        spec: Spec::Promise(PromiseSpec {
            dataset: name(dataset),
            within_ms: minutes * 60_000,
        }),
    }
}

/// A shop: orders, what is sold by day, and the report of it, which is promised.
struct Home {
    state: State,
    start: Timestamp,
    last_run: u64,
}

impl Home {
    fn new(minutes: u64) -> Self {
        let mut home = Self {
            state: State::default(),
            start: "2026-01-01T12:00:00Z".parse().expect("a time"),
            last_run: 0,
        };
        home.apply(0, vec![promise("shop.report", minutes)]);
        home
    }

    /// One whose dataset was up to date once, at minute 1; its jobs took 1 and 2 minutes.
    fn begun(minutes: u64) -> Self {
        let mut home = Self::new(minutes);
        home.deliver(0);
        home.run("shop.sales", 0, 1, RunOutcome::Succeeded);
        home.run("shop.report", 0, 2, RunOutcome::Succeeded);
        assert_eq!(home.look(3, &[]), ["kept"]);
        home
    }

    fn at(&self, minute: i64) -> Timestamp {
        self.start.plus_millis(minute * MINUTE)
    }

    fn fold(&mut self, minute: i64, facts: Vec<Fact>) {
        let now = self.at(minute);
        for fact in facts {
            self.state.apply(self.state.seq + 1, now, "ana", None, fact);
        }
    }

    fn submit(&mut self, minute: i64, command: Command) -> Vec<Fact> {
        let facts = decide(&self.state, None, command, self.at(minute)).expect("decided");
        self.fold(minute, facts.clone());
        facts
    }

    fn apply(&mut self, minute: i64, more: Vec<Resource>) {
        let mut desired = vec![
            job("shop.sales", "shop.orders", "sales"),
            job("shop.report", "shop.sales", "report"),
        ];
        desired.retain(|old| more.iter().all(|new| new.key() != old.key()));
        desired.extend(more);
        self.submit(minute, Command::Apply { desired });
    }

    fn publish(&mut self, minute: i64, dataset: &str, run: Option<RunId>) {
        let version = self.state.main.dataset(&name(dataset)).map_or(0, |d| d.version()) + 1;
        let published = Published {
            run,
            deliveries: Vec::new(),
            datasets: vec![PublishedDataset {
                dataset: name(dataset),
                version,
                schema: Schema(Vec::new()),
                slice_columns: Vec::new(),
                slices: vec![PublishedSlice {
                    slice: SliceKey(Vec::new()),
                    fingerprint: None,
                    content: Some(Default::default()),
                    run: None,
                }],
                removed: Vec::new(),
                whole: None,
                layer: Default::default(),
                overlay: None,
            }],
            branch: None,
            amendment: None,
            promotes: None,
        };
        self.fold(minute, vec![published.into()]);
    }

    fn deliver(&mut self, minute: i64) {
        self.publish(minute, "shop.orders", None);
    }

    fn run(&mut self, dataset: &str, from: i64, to: i64, outcome: RunOutcome) {
        self.last_run += 1;
        let run = RunId(self.last_run);
        let held = self.state.main.resource(&ResourceKey::new(Kind::Job, dataset));
        let Some(Spec::Job(spec)) = held.map(|r| &r.spec) else {
            panic!("no job");
        };
        let pinned = Pinned {
            job: name(dataset),
            branch: None,
            generation: 1,
            code: spec.compiled.code,
            scope: Scope::Whole,
            inputs: Vec::<Input>::new(),
            as_of: self.at(from),
            engine: "test".to_owned(),
            settings: BTreeMap::new(),
            judged: None,
        };
        let because = "a test".to_owned();
        self.fold(
            from,
            vec![
                RunRecorded {
                    run,
                    pinned,
                    because,
                    class: Class::Scheduled,
                }
                .into(),
            ],
        );
        if outcome == RunOutcome::Succeeded {
            self.publish(to, dataset, Some(run));
        }
        let error = (outcome == RunOutcome::Failed).then(|| RunError {
            code: "MS0501".to_owned(),
            message: "a check failed".to_owned(),
            help: None,
            transient: false,
        });
        let finished = RunFinished {
            run,
            attempts: 1,
            outcome,
            error,
            usage: Usage::default(),
            checks: Vec::new(),
            reused_from: None,
            cross_check: None,
            unread: Vec::new(),
        };
        self.fold(to, vec![finished.into()]);
    }

    fn seen(&self, stale: &[&str]) -> PromiseLook {
        let report = name("shop.report");
        PromiseLook {
            seen: self.state.seq,
            upstream: upstream(&self.state, &report),
            dataset: report,
            stale: stale.iter().map(|n| name(n)).collect(),
            unseen: BTreeMap::new(),
        }
    }

    fn look(&mut self, minute: i64, stale: &[&str]) -> Vec<String> {
        let looks = vec![self.seen(stale)];
        let facts = self.submit(minute, Command::KeepPromises { looks });
        facts.iter().map(|f| self.said(f)).collect()
    }

    fn done(&mut self, minute: i64) {
        let dataset = name("shop.report");
        let command = Command::FinishPromise {
            dataset,
            runs: Vec::new(),
            error: None,
        };
        self.submit(minute, command);
    }

    fn standing(&self, minute: i64, stale: &[&str]) -> Standing {
        standing(&self.state, &self.seen(stale), self.at(minute)).expect("a promise")
    }

    fn minute(&self, t: Timestamp) -> i64 {
        t.micros_since(self.start) / 60_000_000
    }

    fn said(&self, fact: &Fact) -> String {
        match fact {
            Fact::PromiseSetOff(f) => format!("set off: {} at {}", f.because, self.minute(f.since)),
            Fact::PromiseKept(f) if f.late => "kept, late".to_owned(),
            Fact::PromiseKept(_) => "kept".to_owned(),
            Fact::PromiseAtRisk(f) => {
                format!(
                    "at risk by {}: {} {}",
                    self.minute(f.due),
                    f.blame.dataset,
                    f.blame.because
                )
            }
            Fact::PromiseMissed(f) => {
                format!(
                    "missed at {}: {} {}",
                    self.minute(f.due),
                    f.blame.dataset,
                    f.blame.because
                )
            }
            other => other.kind().to_owned(),
        }
    }
}

const BOTH: [&str; 2] = ["shop.sales", "shop.report"];

#[test]
fn a_new_promise_does_nothing_for_the_past() {
    let mut home = Home::new(20);
    assert_eq!(home.look(1, &BOTH), Vec::<String>::new());
    home.deliver(2);
    assert_eq!(home.look(100, &BOTH), Vec::<String>::new());
    assert_eq!(home.standing(100, &BOTH).keeping, Keeping::NotBegun);
    // Somebody brought it up to date.
    home.run("shop.sales", 100, 101, RunOutcome::Succeeded);
    home.run("shop.report", 101, 102, RunOutcome::Succeeded);
    assert_eq!(home.look(102, &[]), ["kept"]);
    assert_eq!(home.look(103, &[]), Vec::<String>::new());
    assert_eq!(home.standing(103, &[]).keeping, Keeping::Ok);
    home.deliver(104);
    assert_eq!(
        home.look(104, &BOTH),
        ["set off: shop.orders has new content at 104"]
    );
}

#[test]
fn changes_that_go_on_are_taken_together() {
    let mut home = Home::begun(20);
    home.deliver(100);
    assert_eq!(home.look(100, &BOTH).len(), 1);
    // It is being done.
    home.deliver(101);
    assert_eq!(home.look(101, &BOTH), Vec::<String>::new());
    home.run("shop.sales", 100, 101, RunOutcome::Succeeded);
    home.run("shop.report", 101, 102, RunOutcome::Succeeded);
    home.done(102);
    assert_eq!(home.look(102, &[]), ["kept"]);
    home.deliver(103);
    assert_eq!(home.look(104, &BOTH), Vec::<String>::new());
    let standing = home.standing(104, &BOTH);
    assert_eq!(
        standing.begins.map(|t| home.minute(t)),
        Some(110),
        "half of the time after 100"
    );
    assert_eq!(standing.since.map(|t| home.minute(t)), Some(103));
    assert_eq!(
        home.look(110, &BOTH),
        ["set off: shop.orders has new content at 103"]
    );
}

#[test]
fn alarms_are_raised_before_and_when_it_is_missed_once_each() {
    let mut home = Home::begun(20);
    home.deliver(100);
    assert_eq!(home.look(100, &BOTH).len(), 1);
    // 20 minutes, less the minute between two looks; it needs 1 + 2 minutes.
    let standing = home.standing(101, &BOTH);
    assert_eq!(standing.needs_ms, 3 * 60_000);
    assert_eq!(standing.due.map(|t| home.minute(t)), Some(119));
    assert_eq!(standing.next.map(|t| home.minute(t)), Some(116));
    assert_eq!(home.look(115, &BOTH), Vec::<String>::new());
    let why = "it waits for other work to end";
    assert_eq!(
        home.look(116, &BOTH),
        [format!("at risk by 119: shop.sales {why}")]
    );
    assert_eq!(home.look(118, &BOTH), Vec::<String>::new());
    assert_eq!(
        home.look(119, &BOTH),
        [format!("missed at 119: shop.sales {why}")]
    );
    assert_eq!(home.look(130, &BOTH), Vec::<String>::new());
    assert_eq!(home.state.promises[&name("shop.report")].missed, 1);
    home.run("shop.sales", 130, 131, RunOutcome::Succeeded);
    home.run("shop.report", 131, 132, RunOutcome::Succeeded);
    home.done(132);
    assert_eq!(home.look(132, &[]), ["kept, late"]);
}

#[test]
fn what_takes_longer_than_promised_is_at_risk_at_once() {
    let mut home = Home::begun(20);
    home.deliver(100);
    home.run("shop.sales", 100, 125, RunOutcome::Succeeded);
    home.run("shop.report", 125, 127, RunOutcome::Succeeded);
    assert_eq!(home.look(127, &[]), ["kept"]);
    home.deliver(200);
    assert_eq!(
        home.look(200, &BOTH),
        [
            "set off: shop.orders has new content at 200",
            "at risk by 219: shop.sales it takes 25 min of the 20 min that are promised",
        ]
    );
}

#[test]
fn a_job_that_fails_is_to_blame_and_is_tried_again() {
    let mut home = Home::begun(20);
    home.deliver(100);
    assert_eq!(home.look(100, &BOTH).len(), 1);
    home.run("shop.sales", 100, 101, RunOutcome::Failed);
    home.done(101);
    assert_eq!(
        home.look(101, &BOTH),
        ["at risk by 119: shop.sales its run R-3 failed: a check failed"]
    );
    let again = home.standing(101, &BOTH).begins.map(|t| home.minute(t));
    assert_eq!(again, Some(110));
    assert_eq!(
        home.look(110, &BOTH),
        ["set off: shop.orders has new content at 100"]
    );
    home.done(110);
    // Near its end it is tried after each look, not without a pause.
    assert_eq!(home.look(119, &BOTH).len(), 2);
    home.done(119);
    assert_eq!(
        home.standing(119, &BOTH).begins.map(|t| home.minute(t)),
        Some(120)
    );
}

#[test]
fn a_changed_query_waits_for_somebody_and_is_said() {
    let mut home = Home::begun(20);
    home.apply(
        50,
        vec![
            promise("shop.report", 20),
            job("shop.sales", "shop.orders", "other"),
        ],
    );
    assert_eq!(home.look(51, &BOTH), Vec::<String>::new());
    assert_eq!(home.standing(51, &BOTH).begins, None);
    let said = home.look(70, &BOTH);
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("missed at 69: shop.sales its query is new"),
        "{said:?}"
    );
}

#[test]
fn a_place_that_cannot_be_looked_at_is_to_blame() {
    let mut home = Home::begun(20);
    let mut look = home.seen(&[]);
    look.unseen
        .insert(name("shop.orders"), (home.at(100), "no such folder".to_owned()));
    let standing = standing(&home.state, &look, home.at(118)).expect("a promise");
    assert_eq!(standing.keeping, Keeping::AtRisk);
    assert_eq!(standing.begins, None);
    let facts = home.submit(118, Command::KeepPromises { looks: vec![look] });
    let said: Vec<String> = facts.iter().map(|f| home.said(f)).collect();
    assert_eq!(
        said,
        ["at risk by 119: shop.orders its place cannot be looked at: no such folder"]
    );
    assert_eq!(home.look(119, &[]), ["kept"]);
}

#[test]
fn another_time_goes_on_and_a_new_promise_begins_anew() {
    let mut home = Home::begun(20);
    home.apply(10, vec![promise("shop.report", 10)]);
    assert!(has_begun(&home.state, &name("shop.report")));
    home.apply(11, Vec::new());
    assert_eq!(standing(&home.state, &home.seen(&[]), home.at(11)), None);
    home.apply(12, vec![promise("shop.report", 20)]);
    assert!(!has_begun(&home.state, &name("shop.report")));
    assert_eq!(home.look(13, &BOTH), Vec::<String>::new());
}

#[test]
fn a_look_that_came_too_late_says_nothing() {
    let mut home = Home::begun(20);
    let looks = vec![home.seen(&[])];
    home.deliver(100);
    assert_eq!(home.submit(100, Command::KeepPromises { looks }), Vec::new());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(5),
        ..ProptestConfig::default()
    })]

    /// However often it is looked, and whatever crashes in between: an incident is said once, and one that was missed is never
    /// passed over.
    #[test]
    fn each_incident_is_said_once(steps in proptest::collection::vec((0i64..15, 0u8..4), 1..60)) {
        let mut home = Home::begun(20);
        let (mut minute, mut behind, mut said): (i64, Option<i64>, Vec<String>) = (10, None, Vec::new());
        for (pause, what) in steps {
            minute += pause;
            match what {
                0 => {
                    home.deliver(minute);
                    behind = behind.or(Some(minute));
                }
                1 => {
                    let late = behind.is_some_and(|since| minute - since >= 19);
                    home.run("shop.sales", minute, minute, RunOutcome::Succeeded);
                    home.run("shop.report", minute, minute, RunOutcome::Succeeded);
                    if home.state.promises[&name("shop.report")].open().is_some() {
                        home.done(minute);
                    }
                    let kept = home.look(minute, &[]);
                    if let Some(fact) = kept.first() {
                        let told = said.iter().any(|s| s.starts_with("missed"));
                        prop_assert_eq!(fact.as_str(), if told { "kept, late" } else { "kept" });
                        prop_assert!(late || !told);
                    }
                    (behind, said) = (None, Vec::new());
                }
                _ => {
                    let stale: &[&str] = if behind.is_some() { &BOTH } else { &[] };
                    said.extend(home.look(minute, stale));
                    if behind.is_some_and(|since| minute - since >= 19) {
                        prop_assert!(said.iter().any(|s| s.starts_with("missed")), "{:?}", said);
                    }
                }
            }
            for kind in ["missed", "at risk"] {
                prop_assert!(said.iter().filter(|s| s.starts_with(kind)).count() <= 1, "{:?}", said);
            }
            // What was recorded is all that is known after a crash.
            let body = home.state.encode().expect("a snapshot");
            home.state = State::decode(&body).expect("a snapshot");
        }
    }
}
