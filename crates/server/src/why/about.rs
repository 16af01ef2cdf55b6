//! Why of runs, amendments, deliveries, applies, branches and resources.

use mainstay_base::text::count;
use mainstay_control::{Amendment, AmendmentStatus, BranchStatus, Run, RunStatus};
use mainstay_model::amendment::Edit;
use mainstay_model::id::{AmendmentId, ApplyId, RunId};
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{Against, CrossCheck, RunOutcome, Scope};
use mainstay_model::spec::Severity;
use mainstay_model::{Address, BranchName, Selection, SliceKey};

mod delivered;

pub(super) use delivered::delivery;

use super::Answered;
use super::differ::{ended, failure};
use super::look::{By, Look, changing, of, text_diff};
use super::trace::{Task, Trace};
use crate::jobs::WRONG_DEPENDENCIES;
use crate::report;

/// Writes how much a run computed.
fn scope(look: &Look<'_>, run: &Run) -> String {
    match &run.pinned.scope {
        Scope::Whole => run.pinned.job.to_string(),
        Scope::Slices(list) => {
            let texts = report::slice_texts(&look.sight, &run.pinned.job, list);
            match texts.as_slice() {
                [one] => format!("{}@{one}", run.pinned.job),
                many => format!("{} of {}", count(many.len() as u64, "slice"), run.pinned.job),
            }
        }
    }
}

pub(super) fn run(look: &Look<'_>, thing: &Address, id: RunId) -> Option<Answered> {
    let run = look.run(&id)?;
    Some(of_run(look, thing, id, run, None))
}

/// Explains a run, as far as it matters to some slices of its output.
pub(super) fn of_run<'a>(
    look: &'a Look<'a>,
    thing: &Address,
    id: RunId,
    run: &'a Run,
    slices: Option<&[SliceKey]>,
) -> Answered {
    let mut trace = Trace::new(look);
    trace.once(format!("{id} {}", run.pinned.job));
    let what = format!("{id} computed {}", scope(look, run));
    let own = changing(By::from(run).cause("run", what), run.because.clone());
    trace.add(None, of(own, format!("run/{id}")));
    if run.status != RunStatus::Ended(RunOutcome::Succeeded) && run.error.is_some() {
        let code = run.error.as_ref().map(|e| e.code.clone()).unwrap_or_default();
        let mut by = By::from(run);
        by.when = run.ended.or(by.when);
        let cause = by.cause("failure", format!("{id} {}: {code}", ended(run)));
        trace.add(None, changing(cause, failure(run)));
    }
    super::waits::add(look, &mut trace, id);
    for check in run.checks.iter().filter(|c| c.violations > 0) {
        let word = match check.severity {
            Severity::Error => "failed",
            Severity::Warn => "warned",
        };
        let key = ResourceKey::new(Kind::Check, &check.check);
        let held = look.line(run).and_then(|l| l.resources.get(&key));
        let declared = held.and_then(|h| h.generations.iter().rev().find(|g| g.seq < run.seq));
        let by = declared.map(By::from).unwrap_or_default();
        let what = format!("check {} {word}; it is as it was declared by", check.check);
        let what = match declared {
            Some(g) => format!("{what} apply/{}", g.apply),
            None => format!("check {} {word}", check.check),
        };
        let mut change = check.message.clone();
        if let Some(row) = check.sample.first() {
            let cells: Vec<String> = row.iter().map(|(c, v)| format!("{c} {v}")).collect();
            change.push_str(&format!("; for example {}", cells.join(" · ")));
        }
        trace.add(None, changing(by.cause("check", what), change));
    }
    if let Some(checked) = &run.cross_check {
        let (what, change) = cross_check(look, run, checked);
        let mut by = By::from(run);
        by.when = run.ended.or(by.when);
        trace.add(None, changing(by.cause("cross-check", what), change));
    }
    let before = trace.run(None, run, slices, true);
    let versus = before.good.map(|g| g.to_string());
    let summary = summary(look, id, run, versus.as_deref());
    let mut answered = Answered::new(thing, state_word(run), summary, trace.finish());
    answered.report.versus = versus;
    answered.dataset = Some(run.pinned.job.clone());
    answered.run = Some(id);
    answered.slices = slices.map(<[SliceKey]>::to_vec);
    let failed = run.status != RunStatus::Ended(RunOutcome::Succeeded);
    let first = answered.report.causes.iter().rev().find_map(|c| {
        let first = matches!(c.kind.as_str(), "delivery" | "amendment" | "code" | "apply");
        c.thing.clone().filter(|_| first)
    });
    let mut next = vec![format!("mainstay why {id} --prove")];
    if failed {
        next.push(format!("mainstay logs {id}"));
    } else {
        next.push(format!("mainstay replay {id}"));
    }
    next.extend(first.map(|f| format!("mainstay show {f}")));
    answered.next(next)
}

/// Says what was computed a second time, and what came of it.
fn cross_check(look: &Look<'_>, run: &Run, checked: &CrossCheck) -> (String, String) {
    let texts = |slices: &[SliceKey]| report::slice_texts(&look.sight, &run.pinned.job, slices).join(", ");
    let from = match checked.against {
        Against::Everything => "from everything",
        Against::Alone => "alone",
    };
    let (own, more) = (run.usage().cpu.seconds(), checked.cpu.seconds());
    let share = if own > 0.0 {
        format!(", {:.0} % of the run", 100.0 * more / own)
    } else {
        String::new()
    };
    let what = format!(
        "{} computed a second time, {from}, for {more:.2} CPU seconds{share}",
        count(checked.slices.len() as u64, "slice")
    );
    let change = match (&checked.failed, checked.differing.as_slice()) {
        (_, [_, ..]) => format!(
            "{WRONG_DEPENDENCIES}: {} came out otherwise, so that it reads more than was known; everything is read until its query changes",
            texts(&checked.differing)
        ),
        (Some(failed), _) => format!("{} could not be compared: {failed}", texts(&checked.slices)),
        (None, []) => format!("{} came out the same", texts(&checked.slices)),
    };
    (what, change)
}

const fn state_word(run: &Run) -> &'static str {
    match run.status {
        RunStatus::Waiting { .. } => "waiting",
        RunStatus::Running => "running",
        RunStatus::Ended(o) => report::outcome(o),
    }
}

fn summary(look: &Look<'_>, id: RunId, run: &Run, versus: Option<&str>) -> String {
    let versus = versus.map_or_else(
        || "no run of it succeeded before".to_owned(),
        |v| format!("compared with {v}, the last good run before it"),
    );
    let error = run.error.as_ref().map(|e| format!(" ({})", e.message));
    format!(
        "{id} of {} {}{}: {}; {versus}",
        scope(look, run),
        ended(run),
        error.unwrap_or_default(),
        run.because
    )
}

pub(super) fn amendment(look: &Look<'_>, thing: &Address, id: AmendmentId) -> Option<Answered> {
    let a = look.sight.state.amendments.get(&id)?;
    let edit = report::edit(&a.dataset, &a.edit);
    let mut trace = Trace::new(look);
    trace.once(format!("amendment/{id}"));
    let by = By {
        reason: a.reason.clone(),
        ..By::from(&a.proposed)
    };
    let own = changing(by.cause("amendment", format!("{id} was proposed")), edit.clone());
    let place = trace.add(None, of(own, format!("amendment/{id}")));
    for signed in &a.approved {
        let what = format!("{} approved it", signed.actor);
        trace.add(None, By::from(signed).cause("approval", what));
    }
    trace.taken_back(place, &a.edit);
    if let Some(end) = &a.ended {
        trace.add(
            None,
            changing(By::from(end).cause("amendment", end_of(look, a)), ending(look, a)),
        );
    }
    let failed = a.runs.iter().rev().find(|r| {
        let run = look.run(r);
        run.is_some_and(|r| r.status == RunStatus::Ended(RunOutcome::Failed))
    });
    if let (AmendmentStatus::Failed, Some(run)) = (a.status, failed)
        && let Some(r) = look.run(run)
    {
        let what = format!("{run} of {} failed", r.pinned.job);
        let cause = of(
            changing(By::from(r).cause("failure", what), failure(r)),
            format!("run/{run}"),
        );
        let under = trace.add(None, cause);
        trace.follow(Task {
            run: *run,
            slices: None,
            under,
        });
    }
    let back = look.sight.state.amendments.iter().find(|(_, other)| {
        let takes_back = matches!(&other.edit, Edit::Revert { amendment } if *amendment == id);
        takes_back && other.status == AmendmentStatus::Applied
    });
    if let Some((other, r)) = back {
        let by = By {
            reason: r.reason.clone(),
            ..By::from(&r.proposed)
        };
        let what = format!("{other} took it back");
        trace.add(
            None,
            of(by.cause("amendment", what), format!("amendment/{other}")),
        );
    }
    let reason = a.reason.as_deref().unwrap_or("no reason said");
    let (state, summary, next) = match a.status {
        AmendmentStatus::Waiting => {
            let left = a.approvals.saturating_sub(a.approved.len() as u32);
            let text = format!(
                "{id} waits: {} must approve who {} not {}; proposed by {}: {reason}",
                count(u64::from(left), "person"),
                if left == 1 { "is" } else { "are" },
                a.proposed.actor,
                a.proposed.actor
            );
            (
                "waiting",
                text,
                vec![
                    format!("mainstay approve amendment/{id}"),
                    format!("mainstay drop amendment/{id}"),
                ],
            )
        }
        AmendmentStatus::Failed => {
            let why = a.error.as_ref().map(|e| e.message.clone()).unwrap_or_default();
            let text = format!("{id} could not be made: {why}");
            let mut next = vec![
                format!("mainstay retry amendment/{id}"),
                format!("mainstay drop amendment/{id}"),
            ];
            next.extend(failed.map(|r| format!("mainstay why {r} --prove")));
            ("failed", text, next)
        }
        AmendmentStatus::Applied => (
            "applied",
            format!("{id} holds since {} said so: {reason}", a.proposed.actor),
            vec![format!("mainstay revert amendment/{id} --reason …")],
        ),
        AmendmentStatus::Reverted => ("reverted", format!("{id} held and was taken back"), Vec::new()),
        AmendmentStatus::Dropped => ("dropped", format!("{id} was given up"), Vec::new()),
        AmendmentStatus::Ready => (
            "ready",
            format!("{id} may be made"),
            vec![format!("mainstay retry amendment/{id}")],
        ),
    };
    let mut answered = Answered::new(thing, state, summary, trace.finish());
    answered.dataset = Some(a.dataset.clone());
    if a.status == AmendmentStatus::Failed {
        answered.run = failed.copied();
    }
    Some(
        answered
            .next(next)
            .next([format!("mainstay show amendment/{id}")]),
    )
}

fn end_of(look: &Look<'_>, a: &Amendment) -> String {
    match a.status {
        AmendmentStatus::Failed => "it could not be made".to_owned(),
        AmendmentStatus::Dropped => "it was given up".to_owned(),
        _ => {
            let reached = a.result.iter().flat_map(|r| &r.datasets);
            let texts: Vec<String> = reached
                .map(|d| {
                    let slices = report::slice_texts(&look.sight, &d.dataset, &d.slices);
                    format!("{} of {}", count(slices.len() as u64, "slice"), d.dataset)
                })
                .collect();
            format!("it became visible everywhere at once: {}", texts.join(", "))
        }
    }
}

fn ending(look: &Look<'_>, a: &Amendment) -> String {
    if let Some(error) = &a.error {
        return error.message.clone();
    }
    let runs: Vec<String> = a
        .runs
        .iter()
        .filter(|r| look.run(r).is_some())
        .map(ToString::to_string)
        .collect();
    let rows = a.result.as_ref().map(|r| r.rows).unwrap_or_default();
    let mut texts = vec![format!(
        "{} changed, {} deleted, {} inserted",
        rows.changed, rows.deleted, rows.inserted
    )];
    if !runs.is_empty() {
        texts.push(format!("computed by {}", runs.join(", ")));
    }
    texts.join("; ")
}

pub(super) fn apply(look: &Look<'_>, thing: &Address, id: ApplyId) -> Option<Answered> {
    let a = look.sight.state.applies.get(&id)?;
    let line = look
        .sight
        .state
        .line(a.branch.as_ref())
        .unwrap_or(&look.sight.state.main);
    let mut trace = Trace::new(look);
    for (key, number) in &a.changed {
        let generations = line.resources.get(key).map(|h| h.generations.as_slice());
        let generations = generations.unwrap_or_default();
        let at = generations.iter().position(|g| g.seq == a.seq);
        let now = at
            .and_then(|i| generations.get(i))
            .and_then(|g| g.resource.as_ref());
        let then = at
            .and_then(|i| generations.get(i.checked_sub(1)?))
            .and_then(|g| g.resource.as_ref());
        let (kind, what, change) = match (then, now) {
            (Some(then), Some(now)) => match (&then.spec, &now.spec) {
                (Spec::Job(x), Spec::Job(y)) if x.compiled.code != y.compiled.code => (
                    "code",
                    format!("the query of {key} changed"),
                    text_diff(&x.sql, &y.sql),
                ),
                _ => {
                    let fields = mainstay_control::field_changes(then, now);
                    let texts: Vec<String> = fields
                        .iter()
                        .map(|f| format!("{}: {} → {}", f.field.trim_start_matches("spec."), f.from, f.to))
                        .collect();
                    ("settings", format!("{key} changed"), texts.join("\n"))
                }
            },
            (None, Some(_)) => ("apply", format!("{key} was added"), String::new()),
            (_, None) => (
                "apply",
                format!("{key} was removed (generation {number})"),
                String::new(),
            ),
        };
        let cause = changing(By::from(a).cause(kind, what), change);
        trace.add(None, of(cause, format!("apply/{id}")));
    }
    let mut how = match (a.plan, a.reverts, &a.promotes) {
        (Some(plan), ..) => format!("as reviewed in plan/{plan}"),
        (_, Some(reverted), _) => format!("it undoes apply/{reverted}"),
        (_, _, Some(branch)) => format!("branch {branch} was promoted"),
        _ => "from the project's files".to_owned(),
    };
    if let Some(branch) = &a.branch {
        how.push_str(&format!(", in branch {branch}"));
    }
    let reason = a.reason.as_deref().unwrap_or("no reason said");
    let changes = count(a.changed.len() as u64, "resource");
    let summary = format!("{} applied changes to {changes}, {how}: {reason}", a.actor);
    let answered = Answered::new(thing, "applied", summary, trace.finish());
    Some(answered.next([format!("mainstay revert apply/{id} --reason …")]))
}

pub(super) fn branch(look: &Look<'_>, thing: &Address, name: &BranchName) -> Option<Answered> {
    let about = &look.sight.state.branches.get(name)?.about;
    let by = By {
        who: Some(about.actor.clone()),
        when: Some(about.time),
        seq: Some(about.seq),
        reason: about.reason.clone(),
    };
    let state = match about.status {
        BranchStatus::Open => "open",
        BranchStatus::Promoted => "promoted",
        BranchStatus::Dropped => "dropped",
    };
    let mut trace = Trace::new(look);
    trace.add(
        None,
        of(
            by.cause("branch", format!("branch {name} was made")),
            format!("branch/{name}"),
        ),
    );
    for (id, a) in look
        .sight
        .state
        .applies
        .iter()
        .filter(|(_, a)| a.branch.as_ref() == Some(name))
    {
        let changed: Vec<String> = a.changed.iter().map(|(k, _)| k.to_string()).collect();
        let what = format!("apply/{id} changed {} in it", changed.join(", "));
        trace.add(None, of(By::from(a).cause("apply", what), format!("apply/{id}")));
    }
    let reason = about.reason.as_deref().unwrap_or("no reason said");
    let summary = format!(
        "branch {name} was made by {} and is {state}: {reason}",
        about.actor
    );
    let answered = Answered::new(thing, state, summary, trace.finish());
    Some(answered.next([format!("mainstay branch diff {name}")]))
}

pub(super) fn resource(look: &Look<'_>, thing: &Address, key: &ResourceKey) -> Option<Answered> {
    if let (Kind::Job | Kind::Source, Ok(name)) = (key.kind, key.name.parse())
        && look.sight.dataset(&name).is_some()
    {
        return super::dataset::why(look, thing, &name, &Selection::All)
            .ok()
            .flatten();
    }
    let newest = look.sight.resources.get(key)?.newest()?;
    let promised = (key.kind == Kind::Promise)
        .then(|| key.name.parse().ok())
        .flatten();
    let promise = promised.and_then(|name| super::promise::why(look, thing, &name));
    promise.or_else(|| apply(look, thing, newest.apply))
}
