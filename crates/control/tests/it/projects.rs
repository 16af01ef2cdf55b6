//! Applying, reverting, plans that are out of date.

use mainstay_control::{Command, RefusalKind, diff};
use mainstay_model::change::Action;
use mainstay_model::fact::Fact;
use mainstay_model::id::{ApplyId, PlanId};
use mainstay_model::resource::Spec;

use crate::world::{World, job, source};

fn sql(w: &World) -> String {
    let job = w.state.main.declared().find_map(|(_, _, r)| match &r.spec {
        Spec::Job(j) => Some(j.sql.clone()),
        _ => None,
    });
    job.unwrap_or_default()
}

#[test]
fn a_second_apply_does_nothing() {
    let mut w = World::default();
    let desired = vec![source(), job("SELECT 1", "one")];
    assert_eq!(
        w.submit(Command::Apply {
            desired: desired.clone()
        })
        .expect("applied")
        .len(),
        1
    );
    assert_eq!(w.submit(Command::Apply { desired }).expect("applied"), vec![]);
}

#[test]
fn a_query_in_other_clothes_is_no_change_and_another_query_is() {
    let mut w = World::default();
    w.submit(Command::Apply {
        desired: vec![job("SELECT 1", "one")],
    })
    .expect("applied");
    assert_eq!(diff(&w.state.main, &[job("select   1 -- one", "one")]), vec![]);
    let changes = diff(&w.state.main, &[job("SELECT 2", "two")]);
    assert_eq!(changes[0].action, Action::Change);
    let fields: Vec<&str> = changes[0].fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["spec.sql"]);
    assert_eq!(changes[0].generation, 2);
}

#[test]
fn a_plan_is_applied_exactly_or_refused() {
    let mut w = World::default();
    w.submit(Command::Plan {
        desired: vec![job("SELECT 1", "one")],
    })
    .expect("planned");
    w.submit(Command::Plan {
        desired: vec![source()],
    })
    .expect("planned");
    w.submit(Command::ApplyPlan { plan: PlanId(1) }).expect("applied");
    assert_eq!(sql(&w), "SELECT 1");
    let refused = w
        .submit(Command::ApplyPlan { plan: PlanId(2) })
        .expect_err("out of date");
    assert_eq!(refused.kind, RefusalKind::OutOfDate);
    let refused = w
        .submit(Command::ApplyPlan { plan: PlanId(9) })
        .expect_err("unknown");
    assert_eq!(refused.kind, RefusalKind::NotFound);
}

#[test]
fn a_revert_brings_the_earlier_generation_back_and_can_be_reverted() {
    let mut w = World::default();
    w.submit(Command::Apply {
        desired: vec![job("SELECT 1", "one")],
    })
    .expect("applied");
    w.submit(Command::Apply {
        desired: vec![job("SELECT 2", "two")],
    })
    .expect("applied");
    let facts = w
        .submit(Command::RevertApply { apply: ApplyId(2) })
        .expect("reverted");
    assert!(matches!(&facts[..], [Fact::Applied(a)] if a.reverts == Some(ApplyId(2))));
    assert_eq!(sql(&w), "SELECT 1");
    w.submit(Command::RevertApply { apply: ApplyId(3) })
        .expect("reverted");
    assert_eq!(sql(&w), "SELECT 2");
    let refused = w
        .submit(Command::RevertApply { apply: ApplyId(2) })
        .expect_err("a later apply is in the way");
    assert_eq!(refused.kind, RefusalKind::Conflict);
}

#[test]
fn what_is_no_longer_declared_is_removed_and_can_come_back() {
    let mut w = World::default();
    w.submit(Command::Apply {
        desired: vec![source(), job("SELECT 1", "one")],
    })
    .expect("applied");
    w.submit(Command::Apply {
        desired: vec![source()],
    })
    .expect("applied");
    assert_eq!(w.state.main.declared().count(), 1);
    w.submit(Command::RevertApply { apply: ApplyId(2) })
        .expect("reverted");
    assert_eq!(sql(&w), "SELECT 1");
}
