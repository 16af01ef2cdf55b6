//! A memory that saw many changes against one that knows nothing, and against one fingerprint at a time.

use mainstay_base::{Hash, MultisetHash};
use mainstay_model::SliceKey;
use mainstay_model::relation::{Alternative, Comparator, Comparison, Origin, Reads};
use proptest::prelude::*;

use super::*;
use crate::arithmetic::Arithmetic;
use crate::stale::{all_slices, fingerprints};

#[derive(Clone, Debug, Default)]
struct Table {
    data: BTreeMap<SliceKey, MultisetHash>,
    computed: BTreeMap<SliceKey, Vec<Hash>>,
    whole: Vec<Hash>,
}

/// Datasets as the state holds them: shared, and changed by copying what is shared.
#[derive(Clone, Debug, Default)]
struct World(BTreeMap<DatasetName, Arc<Table>>);

impl World {
    fn change(&mut self, name: &str) -> &mut Table {
        Arc::make_mut(self.0.entry(dataset(name)).or_default())
    }
}

impl Datasets for World {
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_> {
        let table = self.0.get(name);
        Box::new(table.into_iter().flat_map(|t| &t.data).map(|(k, v)| (k, *v)))
    }
    fn slice(&self, name: &DatasetName, slice: &SliceKey) -> Option<MultisetHash> {
        self.0.get(name)?.data.get(slice).copied()
    }
    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_> {
        let table = self.0.get(name);
        Box::new(
            table
                .into_iter()
                .flat_map(|t| &t.computed)
                .map(|(k, v)| (k, v.as_slice())),
        )
    }
    fn whole(&self, name: &DatasetName) -> &[Hash] {
        self.0.get(name).map(|t| t.whole.as_slice()).unwrap_or_default()
    }
    fn mark(&self, name: &DatasetName) -> Mark {
        self.0.get(name).map_or_else(Mark::nothing, |t| Mark::of(t, 0))
    }
}

fn dataset(name: &str) -> DatasetName {
    name.parse().expect("a name")
}

fn digest(seed: u8) -> MultisetHash {
    let mut sum = MultisetHash::EMPTY;
    let n = u128::from(seed) + 1;
    sum.insert([n * n * n, !(n * n * 31)]);
    sum
}

fn is(input: &str, op: Comparator, output: &str) -> Comparison {
    Comparison {
        input: input.into(),
        op,
        output: output.into(),
    }
}

fn reads() -> impl Strategy<Value = Reads> {
    let one = |compare: Vec<Comparison>| Alternative {
        compare,
        ..Alternative::default()
    };
    let window = one(vec![
        is("day", Comparator::AtLeast, "day - 6"),
        is("day", Comparator::AtMost, "day"),
    ]);
    let before = one(vec![is("day", Comparator::Equal, "day - 1")]);
    let weeks = one(vec![is("day / 7", Comparator::Equal, "day / 7")]);
    let up_to = one(vec![is("day", Comparator::AtMost, "day")]);
    let late = Alternative {
        input: vec!["day >= 3".into()],
        ..before.clone()
    };
    let of = |a: &[&Alternative]| Reads::Where(a.iter().map(|a| (*a).clone()).collect());
    prop::sample::select(vec![
        Reads::Same,
        Reads::All,
        of(&[&window]),
        of(&[&before, &weeks]),
        of(&[&weeks, &late]),
        of(&[&up_to]),
        of(&[]),
    ])
}

fn job() -> impl Strategy<Value = Job> {
    let origin = |dataset: Option<&str>, value: &str| Origin {
        dataset: dataset.map(self::dataset),
        values: vec![value.into()],
    };
    let origins = prop::sample::select(vec![
        Some(vec![origin(Some("a.facts"), "day")]),
        Some(vec![origin(Some("a.facts"), "day / 7"), origin(None, "4")]),
        Some(vec![
            origin(Some("a.other"), "day"),
            origin(Some("a.facts"), "day"),
        ]),
        None,
    ]);
    (reads(), prop::option::of(reads()), origins).prop_map(|(facts, other, origins)| Job {
        dataset: dataset("a.out"),
        code: Hash::of(b"query"),
        slice_columns: vec!["day".into()],
        reads: [Some(("a.facts", facts)), other.map(|o| ("a.other", o))]
            .into_iter()
            .flatten()
            .map(|(n, r)| (dataset(n), r))
            .collect(),
        origins,
        engine: None,
    })
}

#[derive(Clone, Debug)]
enum Step {
    Put(&'static str, u8, u8),
    Remove(&'static str, u8),
    /// Something about the dataset changed that says nothing of its slices.
    Touch(&'static str),
    /// Computes what is stale; all of it, or every other slice.
    Compute(bool),
    /// A content of the job's own dataset is another one, or was sliced otherwise.
    Own(u8, bool),
    Query(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let input = || prop::sample::select(vec!["a.facts", "a.other"]);
    prop_oneof![
        4 => (input(), 0u8..15, 0u8..4).prop_map(|(n, day, seed)| Step::Put(n, day, seed)),
        1 => (input(), 0u8..15).prop_map(|(n, day)| Step::Remove(n, day)),
        1 => prop::sample::select(vec!["a.facts", "a.other", "a.out"]).prop_map(Step::Touch),
        4 => any::<bool>().prop_map(Step::Compute),
        1 => (0u8..15, prop::bool::weighted(0.2)).prop_map(|(day, other)| Step::Own(day, other)),
        1 => (0u8..3).prop_map(Step::Query),
    ]
}

fn compute(world: &mut World, job: &Job, found: Option<Stale>, all: bool) {
    let Some(mut stale) = found else { return };
    if let (StaleSlices::Some(list), false) = (&mut stale.slices, all) {
        *list = list.iter().step_by(2).cloned().collect();
    }
    let (whole, each) = fingerprints(job, world, &Arithmetic, &stale.slices);
    let out = world.change("a.out");
    out.whole = whole.into_iter().collect();
    for (slice, fingerprint) in each {
        // Some come out empty, and have no content.
        let seed = fingerprint.as_bytes()[0];
        if seed % 4 == 0 {
            out.data.remove(&slice);
        } else {
            out.data.insert(slice.clone(), digest(seed));
        }
        let known = out.computed.entry(slice).or_default();
        known.insert(0, fingerprint);
        known.truncate(2);
    }
}

fn take(world: &mut World, job: &mut Job, step: &Step, memory: &mut Memory) {
    let day = |d: u8| SliceKey::of(d.to_string());
    match step {
        Step::Put(name, at, seed) => {
            world.change(name).data.insert(day(*at), digest(*seed));
        }
        Step::Remove(name, at) => {
            world.change(name).data.remove(&day(*at));
        }
        Step::Touch(name) => {
            world.change(name);
        }
        Step::Compute(all) => {
            let found = memory.stale(job, world, &Arithmetic);
            compute(world, job, found, *all);
        }
        Step::Own(at, other) => {
            let slice = if *other {
                SliceKey(vec![Some(at.to_string()), None])
            } else {
                day(*at)
            };
            world.change("a.out").data.insert(slice, digest(200));
        }
        Step::Query(n) => job.code = Hash::of(&[*n]),
    }
}

/// What is stale, with one fingerprint at a time, of every slice that there is.
fn one_by_one(job: &Job, world: &World) -> Option<Vec<SliceKey>> {
    let of = |slices: StaleSlices| fingerprints(job, world, &Arithmetic, &slices);
    let Some(all) = all_slices(job, world, &Arithmetic) else {
        let (whole, _) = of(StaleSlices::Whole);
        let known = world.whole(&job.dataset);
        return whole.is_none_or(|w| !known.contains(&w)).then(Vec::new);
    };
    let is_stale = |slice: &SliceKey| {
        let (_, wanted) = of(StaleSlices::Some(vec![slice.clone()]));
        let table = world.0.get(&job.dataset);
        let known = table.and_then(|t| t.computed.get(slice));
        known.is_none_or(|k| wanted.get(slice).is_none_or(|w| !k.contains(w)))
    };
    let stale: Vec<SliceKey> = all.into_iter().filter(is_stale).collect();
    let strangers = world.slices(&job.dataset).any(|(s, _)| s.0.len() != 1);
    (!stale.is_empty() || strangers).then_some(stale)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(11), ..ProptestConfig::with_cases(600) })]

    #[test]
    fn what_is_remembered_is_what_would_be_found_out_anew(
        mut job in job(),
        days in prop::collection::vec(0u8..15, 0..12),
        steps in prop::collection::vec((step(), prop::bool::weighted(0.7)), 1..25),
    ) {
        let mut world = World::default();
        for day in days {
            world.change("a.facts").data.insert(SliceKey::of(day.to_string()), digest(day));
        }
        let mut memory = Memory::default();
        for (step, look) in &steps {
            take(&mut world, &mut job, step, &mut memory);
            // Not looking each time makes larger changes between two looks.
            if *look {
                let remembered = memory.stale(&job, &world, &Arithmetic);
                prop_assert_eq!(&remembered, &Memory::default().stale(&job, &world, &Arithmetic));
                let slices = remembered.map(|s| match s.slices {
                    StaleSlices::Whole => Vec::new(),
                    StaleSlices::Some(list) => list,
                });
                prop_assert_eq!(slices, one_by_one(&job, &world));
                prop_assert_eq!(
                    memory.stale(&job, &world, &Arithmetic),
                    Memory::default().stale(&job, &world, &Arithmetic),
                );
            }
        }
    }
}

/// Counts how often datasets are looked at.
struct Counted<'a>(&'a World, std::cell::Cell<usize>);

impl Datasets for Counted<'_> {
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_> {
        self.1.set(self.1.get() + 1);
        self.0.slices(name)
    }
    fn slice(&self, name: &DatasetName, slice: &SliceKey) -> Option<MultisetHash> {
        self.0.slice(name, slice)
    }
    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_> {
        self.1.set(self.1.get() + 1);
        self.0.computed(name)
    }
    fn whole(&self, name: &DatasetName) -> &[Hash] {
        self.0.whole(name)
    }
    fn mark(&self, name: &DatasetName) -> Mark {
        self.0.mark(name)
    }
}

#[test]
fn what_did_not_change_is_not_looked_at() {
    let job = Job {
        dataset: dataset("a.out"),
        code: Hash::of(b"query"),
        slice_columns: vec!["day".into()],
        reads: [(dataset("a.facts"), Reads::Same)].into(),
        origins: Some(vec![Origin {
            dataset: Some(dataset("a.facts")),
            values: vec!["day".into()],
        }]),
        engine: None,
    };
    let mut world = World::default();
    world.change("a.facts").data.insert(SliceKey::of("1"), digest(1));
    let mut memory = Memory::default();
    let mut look = |world: &World| {
        let counted = Counted(world, std::cell::Cell::new(0));
        let found = memory.stale(&job, &counted, &Arithmetic);
        (found, counted.1.get())
    };
    let (found, first) = look(&world);
    assert!(first > 0);
    assert_eq!(look(&world), (found.clone(), 0));
    compute(&mut world, &job, found, true);
    assert_eq!(look(&world).0, None);
    assert_eq!(look(&world), (None, 0));
    world.change("a.other");
    assert_eq!(look(&world), (None, 0));
    world.change("a.facts").data.insert(SliceKey::of("1"), digest(2));
    let (found, again) = look(&world);
    assert_eq!(
        found.map(|s| s.slices),
        Some(StaleSlices::Some(vec![SliceKey::of("1")]))
    );
    assert!(again > 0);
}
