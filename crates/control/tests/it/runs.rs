//! Runs: published in one piece or not at all, confirmed when nothing changed, tried again when that may help.

use std::collections::BTreeMap;

use mainstay_base::Hash;
use mainstay_control::{Command, Finish, RefusalKind, RunStatus, StagedDataset, StagedSlices};
use mainstay_model::SliceKey;
use mainstay_model::dataset::SliceVersion;
use mainstay_model::fact::Fact;
use mainstay_model::id::RunId;
use mainstay_model::queue::Class;
use mainstay_model::run::{CheckOutcome, RunError, RunOutcome, Usage};
use mainstay_model::spec::Severity;

use crate::world::{World, data_file, job, name, pinned, schema, source};

fn started() -> World {
    let mut w = World::default();
    w.submit(Command::Apply {
        desired: vec![source(), job("SELECT 1", "code")],
    })
    .expect("applied");
    start(&mut w, &["1", "2"]);
    w
}

fn start(w: &mut World, slices: &[&str]) {
    w.submit(Command::RecordRun {
        pinned: pinned(slices),
        because: "test".into(),
        class: Class::Interactive,
        starts: false,
    })
    .expect("recorded");
    w.submit(Command::StartAttempt {
        run: RunId(w.state.last_run),
    })
    .expect("started");
}

fn computed(slices: &[(&str, Option<u128>)]) -> Finish {
    let slice = |(key, seed): &(&str, Option<u128>)| {
        let files = seed.map(|s| data_file("", "run", s)).into_iter().collect();
        (
            SliceKey::of(*key),
            (Hash::of(key.as_bytes()), SliceVersion { files }),
        )
    };
    Finish::Computed(StagedDataset {
        schema: schema(),
        slice_columns: vec!["day".into()],
        slices: StagedSlices::Some(slices.iter().map(slice).collect::<BTreeMap<_, _>>()),
    })
}

fn finish(w: &mut World, attempt: u32, finish: Finish, checks: Vec<CheckOutcome>) -> Vec<Fact> {
    let run = RunId(w.state.last_run);
    w.submit(Command::FinishAttempt {
        run,
        attempt,
        finish,
        usage: Usage::default(),
        checks,
        reused: std::collections::BTreeMap::new(),
        overlaid: None,
        cross_check: None,
        unread: Vec::new(),
        rests_on: std::collections::BTreeMap::new(),
    })
    .expect("accepted")
}

fn error(transient: bool) -> Finish {
    Finish::Failed(RunError {
        code: "MS0000".into(),
        message: "broken".into(),
        help: None,
        transient,
    })
}

#[test]
fn the_publish_and_the_end_are_one_frame() {
    let mut w = started();
    let facts = finish(&mut w, 1, computed(&[("1", Some(1)), ("2", None)]), vec![]);
    assert!(matches!(&facts[..], [Fact::Published(_), Fact::RunFinished(_)]));
    assert_eq!(
        w.slices("air.daily").len(),
        1,
        "a slice without rows is not there"
    );
    let held = &w.state.main.datasets[&name("air.daily")];
    assert!(
        held.slices[&SliceKey::of("2")].fingerprint().is_some(),
        "but it is known to have been computed"
    );
}

#[test]
fn a_recomputation_that_changes_nothing_confirms() {
    let mut w = started();
    finish(&mut w, 1, computed(&[("1", Some(1)), ("2", Some(2))]), vec![]);
    start(&mut w, &["1"]);
    finish(&mut w, 1, computed(&[("1", Some(1))]), vec![]);
    assert_eq!(w.state.main.datasets[&name("air.daily")].version(), 1);
    start(&mut w, &["1"]);
    finish(&mut w, 1, computed(&[("1", Some(9))]), vec![]);
    assert_eq!(w.state.main.datasets[&name("air.daily")].version(), 2);
}

#[test]
fn a_failed_check_publishes_nothing_and_a_warning_does() {
    let check = |severity| CheckOutcome {
        check: "c".into(),
        severity,
        violations: 1,
        message: "1 row".into(),
        sample: vec![],
    };
    let mut w = started();
    finish(
        &mut w,
        1,
        computed(&[("1", Some(1))]),
        vec![check(Severity::Error)],
    );
    assert!(w.slices("air.daily").is_empty());
    assert_eq!(
        w.state.runs.get(&RunId(1)).unwrap().status,
        RunStatus::Ended(RunOutcome::Failed)
    );
    start(&mut w, &["1"]);
    finish(
        &mut w,
        1,
        computed(&[("1", Some(1))]),
        vec![check(Severity::Warn)],
    );
    assert_eq!(w.slices("air.daily").len(), 1);
}

#[test]
fn only_what_may_help_is_tried_again_and_only_so_often() {
    let mut w = started();
    finish(&mut w, 1, error(true), vec![]);
    assert!(matches!(
        w.state.runs.get(&RunId(1)).unwrap().status,
        RunStatus::Waiting { .. }
    ));
    w.submit(Command::StartAttempt { run: RunId(1) })
        .expect("started");
    finish(&mut w, 2, error(true), vec![]);
    assert_eq!(
        w.state.runs.get(&RunId(1)).unwrap().status,
        RunStatus::Ended(RunOutcome::Failed)
    );
    start(&mut w, &["1"]);
    finish(&mut w, 1, error(false), vec![]);
    assert_eq!(
        w.state.runs.get(&RunId(2)).unwrap().status,
        RunStatus::Ended(RunOutcome::Failed)
    );
}

#[test]
fn a_result_of_another_attempt_is_not_accepted() {
    let mut w = started();
    let late = Command::FinishAttempt {
        run: RunId(1),
        attempt: 7,
        finish: computed(&[("1", Some(1))]),
        usage: Usage::default(),
        checks: vec![],
        reused: std::collections::BTreeMap::new(),
        overlaid: None,
        cross_check: None,
        unread: Vec::new(),
        rests_on: std::collections::BTreeMap::new(),
    };
    assert_eq!(w.submit(late).expect_err("stale").kind, RefusalKind::OutOfDate);
    w.submit(Command::AbandonRun {
        run: RunId(1),
        error: RunError {
            code: "MS0000".into(),
            message: "died".into(),
            help: None,
            transient: false,
        },
    })
    .expect("abandoned");
    let late = Command::FinishAttempt {
        run: RunId(1),
        attempt: 1,
        finish: computed(&[("1", Some(1))]),
        usage: Usage::default(),
        checks: vec![],
        reused: std::collections::BTreeMap::new(),
        overlaid: None,
        cross_check: None,
        unread: Vec::new(),
        rests_on: std::collections::BTreeMap::new(),
    };
    assert_eq!(w.submit(late).expect_err("stale").kind, RefusalKind::OutOfDate);
    assert!(w.slices("air.daily").is_empty());
}

#[test]
fn a_cancelled_run_ends_cancelled() {
    let mut w = started();
    w.submit(Command::Cancel { run: RunId(1) }).expect("asked");
    finish(&mut w, 1, error(true), vec![]);
    assert_eq!(
        w.state.runs.get(&RunId(1)).unwrap().status,
        RunStatus::Ended(RunOutcome::Cancelled)
    );
    assert_eq!(
        w.submit(Command::Cancel { run: RunId(1) })
            .expect_err("ended")
            .kind,
        RefusalKind::Invalid
    );
}

#[test]
fn a_dataset_that_is_sliced_another_way_loses_its_old_slices() {
    let mut w = started();
    finish(&mut w, 1, computed(&[("1", Some(1)), ("2", Some(2))]), vec![]);
    start(&mut w, &["month 1"]);
    let Finish::Computed(mut staged) = computed(&[("month 1", Some(3))]) else {
        panic!("computed");
    };
    staged.slice_columns = vec!["carrier".into()];
    finish(&mut w, 1, Finish::Computed(staged), vec![]);
    let slices = w.slices("air.daily");
    assert_eq!(slices.keys().collect::<Vec<_>>(), ["month 1"]);
}

#[test]
fn a_result_that_rests_on_what_moved_meanwhile_is_not_accepted() {
    let mut w = started();
    let resting = |version: u64, finish: Finish| Command::FinishAttempt {
        run: RunId(1),
        attempt: 1,
        finish,
        usage: Usage::default(),
        checks: vec![],
        reused: std::collections::BTreeMap::new(),
        overlaid: None,
        cross_check: None,
        unread: Vec::new(),
        rests_on: BTreeMap::from([("air.daily".parse().expect("a name"), version)]),
    };
    let refused = w
        .submit(resting(1, computed(&[("1", Some(1))])))
        .expect_err("it is at 0");
    assert_eq!((refused.kind, refused.code), (RefusalKind::OutOfDate, "MS0507"));
    assert!(w.slices("air.daily").is_empty());
    // That it could not be accepted can be recorded, whatever moved.
    let Finish::Failed(error) = error(false) else {
        panic!("failed");
    };
    let _ = w.submit(resting(1, Finish::Overtaken(error))).expect("accepted");
    assert_eq!(
        w.state.runs.get(&RunId(1)).unwrap().status,
        RunStatus::Ended(RunOutcome::Cancelled)
    );
}
