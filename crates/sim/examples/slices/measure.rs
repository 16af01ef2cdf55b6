//! What is measured, each in a process of its own, which begins with a snapshot.

use std::path::Path;
use std::time::Instant;

use mainstay_base::Timestamp;
use mainstay_control::{Command, State, decide};
use mainstay_model::BranchName;
use mainstay_planner::StaleSlices;
use mainstay_server::Planning;
use serde_json::{Value, json};

use crate::Outcome;
use crate::world::World;

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Plans with nothing changed, twice, then with one slice of a source changed, then all that follows from it.
pub(crate) fn plan(snapshot: &Path) -> Outcome<Value> {
    let begun = Instant::now();
    let bytes = std::fs::read(snapshot)?;
    let size = bytes.len();
    let state = State::decode(&bytes)?;
    drop(bytes);
    let open = ms(begun);
    let mut world = World::of(state);
    let mut planning = Planning::default();
    let jobs = world.jobs.clone();
    let all = |world: &World, planning: &mut Planning| {
        let begun = Instant::now();
        let stale: Vec<_> = jobs
            .iter()
            .filter_map(|j| Some((j, world.stale(planning, j)?)))
            .collect();
        (ms(begun), stale)
    };
    let (first, stale) = all(&world, &mut planning);
    if let Some((job, slices)) = stale.first() {
        return Err(format!("{} is stale: {slices:?}", job.dataset)
            .chars()
            .take(300)
            .collect::<String>()
            .into());
    }
    let (again, _) = all(&world, &mut planning);

    let source = "g0.sales".parse()?;
    let slices = &world
        .state
        .main
        .dataset(&source)
        .ok_or("there is no g0.sales")?
        .slices;
    let slice = slices
        .keys()
        .nth(slices.len() / 2)
        .ok_or("it has no slice")?
        .clone();
    world.publish(&source, None, vec![(slice.clone(), None)], None);
    let (change, stale) = all(&world, &mut planning);
    let found: Vec<_> = stale
        .iter()
        .map(|(j, s)| (j.dataset.to_string(), s.clone()))
        .collect();
    if found != [("g0.clean".to_owned(), StaleSlices::Some(vec![slice]))] {
        return Err(format!("found stale: {found:?}")
            .chars()
            .take(300)
            .collect::<String>()
            .into());
    }
    let (mut follow, mut runs) = (0.0, Vec::new());
    for job in &jobs {
        let begun = Instant::now();
        let stale = world.stale(&mut planning, job);
        follow += ms(begun);
        if let Some(slices) = stale {
            world.run(job, &slices);
            let count = match slices {
                StaleSlices::Whole => 0,
                StaleSlices::Some(list) => list.len(),
            };
            runs.push((job.dataset.to_string(), count));
        }
    }
    Ok(json!({
        "open_s": open / 1e3,
        "size_mb": size as f64 / 1e6,
        "plan_s": first / 1e3,
        "again_ms": again,
        "change_ms": change,
        "follow_ms": follow,
        "runs": runs,
        "peak_mb": peak_mb()?,
    }))
}

/// Opens a snapshot.
pub(crate) fn open(snapshot: &Path) -> Outcome<Value> {
    let bytes = std::fs::read(snapshot)?;
    let begun = Instant::now();
    let state = State::decode(&bytes)?;
    let open = ms(begun);
    Ok(json!({ "open_ms": open, "size_mb": bytes.len() as f64 / 1e6, "runs": state.runs.len() }))
}

/// Makes branches, and tells what each took.
pub(crate) fn branch(world: &World, rounds: usize) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    let mut state = world.state.clone();
    for round in 0..rounds {
        let branch: BranchName = format!("try-{round}").parse()?;
        let begun = Instant::now();
        let now = Timestamp::from_micros(1_900_000_000_000_000);
        let facts = decide(
            &state,
            None,
            Command::CreateBranch {
                branch: branch.clone(),
            },
            now,
        )
        .map_err(|r| format!("{r:?}"))?;
        for fact in facts {
            let seq = state.seq + 1;
            state.apply(seq, now, "service/bench", None, fact);
        }
        times.push(ms(begun));
        let made = state.line(Some(&branch)).ok_or("the branch is not there")?;
        if made.datasets != state.main.datasets {
            return Err("the branch is not what the live side is".into());
        }
    }
    Ok(times)
}

/// The most memory that this process had, as Linux counts it.
fn peak_mb() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    let kb: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kb / 1024.0)
}
