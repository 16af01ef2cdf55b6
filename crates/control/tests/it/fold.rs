//! The fold: the same facts give the same state, through snapshots too, whatever the commands were.

use mainstay_control::{Command, State};
use mainstay_model::fact::Fact;
use mainstay_model::id::{ApplyId, PlanId, RunId};
use mainstay_model::upcast;
use proptest::prelude::*;

use crate::world::{World, job, pinned, source};

#[derive(Clone, Debug)]
enum Step {
    Apply(u8),
    Plan(u8),
    ApplyPlan(u64),
    Revert(u64),
    Deliver(u8, u8, u8),
    Bad(u8),
    Run,
    Cancel(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..4).prop_map(Step::Apply),
        (0u8..4).prop_map(Step::Plan),
        (1u64..5).prop_map(Step::ApplyPlan),
        (1u64..5).prop_map(Step::Revert),
        (0u8..3, 0u8..4, 0u8..3).prop_map(|(f, c, s)| Step::Deliver(f, c, s)),
        (0u8..3).prop_map(Step::Bad),
        Just(Step::Run),
        (1u64..5).prop_map(Step::Cancel),
    ]
}

fn desired(n: u8) -> Vec<mainstay_model::Resource> {
    let query = format!("SELECT {n}");
    if n == 0 {
        vec![source()]
    } else {
        vec![source(), job(&query, &query)]
    }
}

fn take(w: &mut World, step: &Step) {
    // Refusals are part of the game; what counts is that they record nothing.
    match step {
        Step::Apply(n) => drop(w.submit(Command::Apply { desired: desired(*n) })),
        Step::Plan(n) => drop(w.submit(Command::Plan { desired: desired(*n) })),
        Step::ApplyPlan(n) => drop(w.submit(Command::ApplyPlan { plan: PlanId(*n) })),
        Step::Revert(n) => drop(w.submit(Command::RevertApply { apply: ApplyId(*n) })),
        Step::Deliver(f, c, s) => {
            let (file, content, slice) = (format!("f{f}"), format!("c{c}"), format!("{s}"));
            let seed = u128::from(*c) + 10;
            w.deliver(&[(&file, &content, Some(&[(&slice, seed)]))]);
        }
        Step::Bad(f) => drop(w.deliver(&[(&format!("f{f}"), "bad", None)])),
        Step::Run => {
            drop(w.submit(Command::RecordRun {
                pinned: pinned(&["1"]),
                because: "test".into(),
            }));
            drop(w.submit(Command::StartAttempt {
                run: RunId(w.state.last_run),
            }));
        }
        Step::Cancel(n) => drop(w.submit(Command::Cancel { run: RunId(*n) })),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn refolding_and_snapshots_give_the_same_state(steps in prop::collection::vec(step(), 0..40)) {
        let mut w = World::default();
        for s in &steps { take(&mut w, s); }
        prop_assert_eq!(&w.refold(), &w.state);
        let restored = State::decode(&w.state.encode().expect("a snapshot")).expect("readable");
        prop_assert_eq!(&restored, &w.state);
    }

    /// What a source holds does not depend on how its files came: the last content of each name, each content once.
    #[test]
    fn a_source_is_its_files(steps in prop::collection::vec(step(), 0..40)) {
        let mut w = World::default();
        for s in &steps { take(&mut w, s); }
        let files = w.state.sources.values().flat_map(|f| f.values());
        let active: Vec<_> = files.filter_map(|f| f.active).collect();
        let contents: std::collections::BTreeSet<_> = active.iter().map(|(_, c)| *c).collect();
        prop_assert_eq!(contents.len(), active.len(), "a content is in the dataset once");
        let staged: usize = w.state.main.datasets.values().flat_map(|d| d.slices.values()).filter_map(|h| h.newest()).map(|c| c.files.len()).sum();
        prop_assert_eq!(staged, active.len(), "every active file here has one staged file");
    }

    /// What is written can be read again.
    #[test]
    fn facts_survive_storage(steps in prop::collection::vec(step(), 0..20)) {
        let mut w = World::default();
        for s in &steps { take(&mut w, s); }
        for (_, fact) in &w.log {
            let body = Fact::encode(fact).expect("json");
            prop_assert_eq!(&upcast::decode(fact.kind(), fact.version(), &body).expect("readable"), fact);
        }
    }
}
