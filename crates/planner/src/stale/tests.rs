//! Staleness over small worlds.

use mainstay_model::relation::Origin;

use super::*;
use crate::arithmetic::Arithmetic;

#[derive(Default)]
struct World {
    data: BTreeMap<DatasetName, BTreeMap<SliceKey, MultisetHash>>,
    computed: BTreeMap<DatasetName, BTreeMap<SliceKey, Vec<Hash>>>,
    whole: BTreeMap<DatasetName, Vec<Hash>>,
}

impl World {
    fn put(&mut self, name: &str, slice: &str, content: u128) {
        let mut d = MultisetHash::EMPTY;
        d.insert([content, content]);
        self.data
            .entry(dataset(name))
            .or_default()
            .insert(SliceKey::of(slice), d);
    }

    fn compute(&mut self, job: &Job) {
        let Some(s) = stale(job, self, &Arithmetic) else {
            return;
        };
        let (whole, each) = fingerprints(job, self, &Arithmetic, &s.slices);
        if let Some(w) = whole {
            self.whole.insert(job.dataset.clone(), vec![w]);
        }
        let each = each.into_iter().map(|(k, fp)| (k, vec![fp]));
        self.computed.entry(job.dataset.clone()).or_default().extend(each);
    }
}

impl Datasets for World {
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_> {
        Box::new(self.data.get(name).into_iter().flatten().map(|(k, v)| (k, *v)))
    }
    fn slice(&self, name: &DatasetName, slice: &SliceKey) -> Option<MultisetHash> {
        self.data.get(name)?.get(slice).copied()
    }
    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_> {
        Box::new(
            self.computed
                .get(name)
                .into_iter()
                .flatten()
                .map(|(k, v)| (k, v.as_slice())),
        )
    }
    fn whole(&self, name: &DatasetName) -> &[Hash] {
        self.whole.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

fn dataset(name: &str) -> DatasetName {
    name.parse().expect("a name")
}

fn job(reads: &[(&str, Reads)]) -> Job {
    Job {
        dataset: dataset("a.out"),
        code: Hash::of(b"query"),
        slice_columns: vec!["day".into()],
        reads: reads.iter().map(|(n, r)| (dataset(n), r.clone())).collect(),
        origins: Some(vec![Origin {
            dataset: reads.first().map(|(n, _)| dataset(n)),
            values: vec!["day".into()],
        }]),
        engine: None,
    }
}

fn slices(s: Option<Stale>) -> Vec<String> {
    match s.map(|s| s.slices) {
        None => vec![],
        Some(StaleSlices::Whole) => vec!["whole".into()],
        Some(StaleSlices::Some(list)) => list.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn only_the_slice_that_changed() {
    let job = job(&[("a.facts", Reads::Same), ("a.dim", Reads::All)]);
    let mut w = World::default();
    w.put("a.facts", "1", 1);
    w.put("a.facts", "2", 2);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["1", "2"]);
    w.compute(&job);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), [""; 0]);
    w.put("a.facts", "2", 3);
    w.put("a.facts", "3", 1);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["2", "3"]);
    w.compute(&job);
    w.put("a.dim", "x", 1);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["1", "2", "3"]);
}

#[test]
fn a_slice_that_is_gone_is_computed_once_more() {
    let job = job(&[("a.facts", Reads::Same)]);
    let mut w = World::default();
    w.put("a.facts", "1", 1);
    w.compute(&job);
    w.data.clear();
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["1"]);
    w.compute(&job);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), [""; 0]);
}

#[test]
fn without_a_common_slice_it_is_all_or_nothing() {
    let job = job(&[("a.facts", Reads::All)]);
    let mut w = World::default();
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["whole"]);
    w.compute(&job);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), [""; 0]);
    w.put("a.facts", "1", 1);
    assert_eq!(
        stale(&job, &w, &Arithmetic).map(|s| s.because),
        Some(Because::Changed)
    );
}

#[test]
fn new_code_makes_all_of_it_stale() {
    let mut job = job(&[("a.facts", Reads::Same)]);
    let mut w = World::default();
    w.put("a.facts", "1", 1);
    w.compute(&job);
    job.code = Hash::of(b"another query");
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["1"]);
}

#[test]
fn a_trailing_window_makes_the_days_after_stale() {
    use mainstay_model::relation::{Alternative, Comparator, Comparison};
    let compare = |op, output: &str| Comparison {
        input: "day".into(),
        op,
        output: output.into(),
    };
    let week = Reads::Where(vec![Alternative {
        compare: vec![
            compare(Comparator::AtLeast, "day - 6"),
            compare(Comparator::AtMost, "day"),
        ],
        ..Alternative::default()
    }]);
    let job = job(&[("a.facts", week)]);
    let mut w = World::default();
    for day in 1..=20 {
        w.put("a.facts", &day.to_string(), day);
    }
    w.compute(&job);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), [""; 0]);
    w.put("a.facts", "9", 100);
    let seven: Vec<String> = (9..=15).map(|d| d.to_string()).collect();
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), seven);
    let before = BTreeMap::from([(dataset("a.facts"), StaleSlices::Some(vec![SliceKey::of("21")]))]);
    let after = crate::following(&job, &w, &Arithmetic, &before);
    assert_eq!(after, Some(StaleSlices::Some(vec![SliceKey::of("21")])));
    // A day that was never there is read by the days after it; and it is gone again.
    w.compute(&job);
    w.data
        .get_mut(&dataset("a.facts"))
        .expect("facts")
        .remove(&SliceKey::of("9"));
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), seven);
}

#[test]
fn what_is_filtered_out_is_never_a_slice() {
    use mainstay_model::relation::{Alternative, Comparator, Comparison};
    let late = Reads::Where(vec![Alternative {
        compare: vec![Comparison {
            input: "day".into(),
            op: Comparator::Equal,
            output: "day".into(),
        }],
        input: vec!["day >= 3".into()],
        output: vec![],
    }]);
    let job = job(&[("a.facts", late)]);
    let mut w = World::default();
    for day in 1..=4 {
        w.put("a.facts", &day.to_string(), day);
    }
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["3", "4"]);
    let all = all_slices(&job, &w, &Arithmetic).expect("known");
    assert_eq!(all, [SliceKey::of("3"), SliceKey::of("4")]);
}

#[test]
fn the_engine_makes_nothing_stale_unless_it_matters() {
    let mut job = job(&[("a.facts", Reads::Same)]);
    let mut w = World::default();
    w.put("a.facts", "1", 1);
    w.compute(&job);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), [""; 0]);
    // It did not matter what computed it, and now does.
    job.engine = Some("engine 1".into());
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["1"]);
    w.compute(&job);
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), [""; 0]);
    job.engine = Some("engine 2".into());
    assert_eq!(slices(stale(&job, &w, &Arithmetic)), ["1"]);
}
