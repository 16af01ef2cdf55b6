//! The fold: the same facts give the same state, through snapshots too, whatever the commands were.

use mainstay_control::{AmendmentStatus, Command, Made, Overlaid, State};
use mainstay_model::amendment::{Consequences, Edit, Overlay, Target};
use mainstay_model::fact::Fact;
use mainstay_model::id::{AmendmentId, ApplyId, PlanId, RunId};
use mainstay_model::queue::Class;
use mainstay_model::{BranchName, SliceKey, upcast};
use proptest::prelude::*;

use crate::world::{World, job, name, pinned, source};

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
    Branch(u8),
    Rebase(u8),
    Promote(u8),
    DropBranch(u8),
    ApplyIn(u8, u8),
    Amend(u8, u64),
    Vacuum,
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
        (0u8..2).prop_map(Step::Branch),
        (0u8..2).prop_map(Step::Rebase),
        (0u8..2).prop_map(Step::Promote),
        (0u8..2).prop_map(Step::DropBranch),
        (0u8..2, 0u8..4).prop_map(|(b, n)| Step::ApplyIn(b, n)),
        (0u8..2, 1u64..4).prop_map(|(k, of)| Step::Amend(k, of)),
        Just(Step::Vacuum),
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

fn branch(n: u8) -> BranchName {
    format!("b{n}").parse().expect("a name")
}

/// Proposes an amendment and makes it, in a branch of its own, as the server does.
fn amend(w: &mut World, kind: u8, of: u64) {
    let flights = name("air.flights");
    let edit = match kind {
        0 => Edit::Delete {
            target: Target::default(),
        },
        _ => Edit::Revert {
            amendment: AmendmentId(of),
        },
    };
    let proposed = w.submit(Command::ProposeAmendment {
        dataset: flights.clone(),
        edit,
        approvals: 0,
        preview: Consequences::default(),
    });
    if proposed.is_err() || w.state.main.dataset(&flights).is_none() {
        return;
    }
    let id = *w.state.amendments.keys().next_back().expect("proposed");
    let side = BranchName::of_amendment(id);
    w.submit(Command::CreateBranch { branch: side.clone() })
        .expect("a new branch");
    let held = w.state.main.dataset(&flights).expect("published");
    let amendments = w.state.amended(&held.overlay.amendments, id, true);
    let all: Vec<SliceKey> = held.base().newest().map(|(k, _)| k.clone()).collect();
    let overlay = Overlay {
        touched: if amendments.is_empty() { Vec::new() } else { all },
        amendments,
        ..Overlay::default()
    };
    let overlaid = Overlaid {
        overlay,
        ..Overlaid::default()
    };
    w.submit_on(
        Some(&side),
        Command::PublishOverlay {
            dataset: flights,
            amendment: id,
            overlaid,
        },
    )
    .expect("laid");
    let made = Made {
        amendment: id,
        result: Consequences::default(),
        runs: Vec::new(),
    };
    w.submit(Command::PromoteBranch {
        branch: side,
        amendment: Some(made),
    })
    .expect("nothing moved meanwhile");
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
                class: Class::Interactive,
                starts: false,
            }));
            drop(w.submit(Command::StartAttempt {
                run: RunId(w.state.last_run),
            }));
        }
        Step::Cancel(n) => drop(w.submit(Command::Cancel { run: RunId(*n) })),
        Step::Branch(b) => drop(w.submit(Command::CreateBranch { branch: branch(*b) })),
        Step::Rebase(b) => drop(w.submit(Command::RebaseBranch {
            branch: branch(*b),
            amended: Vec::new(),
        })),
        Step::Promote(b) => drop(w.submit(Command::PromoteBranch {
            branch: branch(*b),
            amendment: None,
        })),
        Step::DropBranch(b) => drop(w.submit(Command::DropBranch { branch: branch(*b) })),
        Step::ApplyIn(b, n) => {
            let side = branch(*b);
            drop(w.submit_on(Some(&side), Command::Apply { desired: desired(*n) }));
        }
        Step::Amend(kind, of) => amend(w, *kind, *of),
        Step::Vacuum => drop(w.submit(Command::Vacuum {
            now: mainstay_base::Timestamp::from_micros(1 << 50),
        })),
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
        let staged: usize = w.state.main.datasets.values().flat_map(|d| d.base().newest()).map(|(_, c)| c.files.len()).sum();
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

    /// While an amendment that deletes everything holds, nothing is shown; when none does, the base is shown, whatever was
    /// delivered meanwhile.
    #[test]
    fn what_is_shown_is_the_base_under_its_amendments(steps in prop::collection::vec(step(), 0..40)) {
        let mut w = World::default();
        for s in &steps { take(&mut w, s); }
        let Some(flights) = w.state.main.dataset(&name("air.flights")) else { return Ok(()) };
        let reverted = |id: &AmendmentId| w.state.amendments[id].status == AmendmentStatus::Reverted;
        let deletes = w.state.amendments.iter().filter(|(_, a)| matches!(a.edit, Edit::Delete { .. }));
        let hold: Vec<AmendmentId> = deletes
            .filter(|(id, a)| a.status == AmendmentStatus::Applied && !reverted(id))
            .map(|(id, _)| *id)
            .collect();
        prop_assert_eq!(&flights.overlay.amendments, &hold);
        if hold.is_empty() {
            let shown: Vec<_> = flights.newest().collect();
            let base: Vec<_> = flights.base().newest().collect();
            prop_assert_eq!(shown.len(), base.len());
            for ((a, x), (b, y)) in shown.iter().zip(&base) {
                prop_assert_eq!(a, b);
                prop_assert_eq!(x.digest(), y.digest());
            }
        } else {
            prop_assert_eq!(flights.newest().count(), 0);
        }
    }
}
