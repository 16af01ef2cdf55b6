//! Taking systems in turns and turning their times into figures. Knows nothing of what a system is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::Outcome;
use crate::answer::Answer;

/// One query.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) name: String,
    pub(crate) sql: String,
}

/// What a query took, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// Something that answers queries into files.
pub(crate) trait System {
    fn name(&self) -> String;

    /// Computes and writes a query's result.
    fn carry_out(&mut self, query: &Query) -> Outcome<Spent>;

    /// Reads the result that was written last.
    fn answer(&mut self, query: &Query) -> Outcome<Answer>;
}

/// Measures work of this process.
pub(crate) fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(T, Spent)> {
    let (started, cpu) = (Instant::now(), processor_time());
    let result = work()?;
    let spent = Spent {
        wall: started.elapsed().as_secs_f64(),
        cpu: (processor_time() - cpu).as_secs_f64(),
    };
    Ok((result, spent))
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// What systems took: by system, query and round.
pub(crate) struct Measured {
    systems: Vec<String>,
    queries: Vec<String>,
    spent: BTreeMap<(usize, usize), Vec<Spent>>,
}

impl Measured {
    /// Measures; a first round is not counted. If wanted, all systems must give the answers of the first.
    pub(crate) fn of(
        systems: &mut [Box<dyn System>],
        queries: &[Query],
        rounds: usize,
        compare: bool,
    ) -> Outcome<Self> {
        let mut spent: BTreeMap<(usize, usize), Vec<Spent>> = BTreeMap::new();
        for round in 0..=rounds {
            for (q, query) in queries.iter().enumerate() {
                for turn in 0..systems.len() {
                    let s = (turn + round + q) % systems.len();
                    let Some(system) = systems.get_mut(s) else {
                        continue;
                    };
                    let took = system
                        .carry_out(query)
                        .map_err(|e| format!("{}, {}: {e}", system.name(), query.name))?;
                    if round > 0 {
                        spent.entry((s, q)).or_default().push(took);
                    }
                }
                if round == 0 && compare {
                    same_answers(systems, query)?;
                }
            }
            let what = if round == 0 {
                "warmed up".to_owned()
            } else {
                format!("round {round} of {rounds}")
            };
            eprintln!("tpch: {what}");
        }
        Ok(Self {
            systems: systems.iter().map(|s| s.name()).collect(),
            queries: queries.iter().map(|q| q.name.clone()).collect(),
            spent,
        })
    }

    fn rounds(&self, system: usize, query: usize, value: fn(&Spent) -> f64) -> Vec<f64> {
        self.spent
            .get(&(system, query))
            .into_iter()
            .flatten()
            .map(value)
            .collect()
    }

    /// The sum over all queries, round by round.
    fn sums(&self, system: usize, value: fn(&Spent) -> f64) -> Vec<f64> {
        let mut sums: Vec<f64> = Vec::new();
        for query in 0..self.queries.len() {
            for (round, seconds) in self.rounds(system, query, value).into_iter().enumerate() {
                match sums.get_mut(round) {
                    Some(sum) => *sum += seconds,
                    None => sums.push(seconds),
                }
            }
        }
        sums
    }

    /// The figure of all queries together, perhaps beside another system, perhaps with the most that the ratio may be.
    pub(crate) fn sum(
        &self,
        name: &str,
        system: usize,
        beside: Option<usize>,
        at_most: Option<f64>,
    ) -> Value {
        let wall = |s: &Spent| s.wall;
        let other = beside.map(|b| self.sums(b, wall));
        figure(name, &self.sums(system, wall), other.as_deref(), at_most)
    }

    /// The same in processor time.
    pub(crate) fn cpu(&self, name: &str, system: usize, beside: usize) -> Value {
        let cpu = |s: &Spent| s.cpu;
        figure(name, &self.sums(system, cpu), Some(&self.sums(beside, cpu)), None)
    }

    /// The figure of one query.
    pub(crate) fn query(&self, name: &str, query: usize, system: usize, beside: usize) -> Value {
        let wall = |s: &Spent| s.wall;
        let (own, other) = (self.rounds(system, query, wall), self.rounds(beside, query, wall));
        figure(name, &own, Some(&other), None)
    }

    /// Shows the middle of each query's rounds for each system, elapsed and processor time in milliseconds, and the sums.
    pub(crate) fn show(&self) {
        for (s, name) in self.systems.iter().enumerate() {
            eprintln!("  [{s}] {name}");
        }
        type Time = fn(&Spent) -> f64;
        let times: [(&str, Time); 2] = [("elapsed", |s| s.wall), ("processor", |s| s.cpu)];
        for (what, value) in times {
            let heads = (0..self.systems.len()).map(|s| format!("{:>8}", format!("[{s}]")));
            eprintln!("{what:<10}{}", heads.collect::<String>());
            let line = |name: &str, of: &dyn Fn(usize) -> Vec<f64>| {
                let cells = (0..self.systems.len()).map(|s| format!("{:>8.0}", middle(&of(s)) * 1000.0));
                eprintln!("{name:<10}{}", cells.collect::<String>());
            };
            for (q, name) in self.queries.iter().enumerate() {
                line(name, &|s| self.rounds(s, q, value));
            }
            line("sum", &|s| self.sums(s, value));
        }
    }
}

fn same_answers(systems: &mut [Box<dyn System>], query: &Query) -> Outcome<()> {
    let Some((first, others)) = systems.split_first_mut() else {
        return Ok(());
    };
    let expected = first.answer(query)?;
    for other in others {
        let name = other.name();
        let answer = other
            .answer(query)
            .map_err(|e| format!("{}: {name}: {e}", query.name))?;
        expected.compare(&answer).map_err(|why| {
            let first = first.name();
            format!("{}: {first} and {name} give different answers: {why}", query.name)
        })?;
    }
    Ok(())
}

/// The least, the middle and the most of the rounds, and the middle of the ratios within the rounds.
fn figure(name: &str, rounds: &[f64], beside: Option<&[f64]>, at_most: Option<f64>) -> Value {
    let extreme = |pick: fn(f64, f64) -> f64| rounds.iter().copied().reduce(pick).unwrap_or(0.0);
    let mut figure = json!({
        "name": name, "unit": "s", "min": extreme(f64::min), "median": middle(rounds), "max": extreme(f64::max),
    });
    if let (Some(beside), Some(fields)) = (beside, figure.as_object_mut()) {
        let ratios: Vec<f64> = rounds
            .iter()
            .zip(beside)
            .map(|(own, other)| own / other)
            .collect();
        fields.insert("ratio".to_owned(), json!(middle(&ratios)));
        if let Some(limit) = at_most {
            fields.insert("at_most".to_owned(), json!(limit));
        }
    }
    figure
}

fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
