//! Ranges against looking at every pair.

use std::collections::BTreeSet;

use mainstay_base::Hash;
use mainstay_model::relation::{Alternative, Comparator, Comparison};
use proptest::prelude::*;

use super::*;
use crate::arithmetic::{Arithmetic, holds, value};

struct World(BTreeMap<SliceKey, MultisetHash>);

impl Datasets for World {
    fn slices(&self, _: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_> {
        Box::new(self.0.iter().map(|(k, v)| (k, *v)))
    }
    fn slice(&self, _: &DatasetName, slice: &SliceKey) -> Option<MultisetHash> {
        self.0.get(slice).copied()
    }
    fn computed(&self, _: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_> {
        Box::new(std::iter::empty())
    }
    fn whole(&self, _: &DatasetName) -> &[Hash] {
        &[]
    }
}

fn key(day: Option<i64>) -> SliceKey {
    SliceKey(vec![day.map(|d| d.to_string())])
}

fn meets(alternative: &Alternative, input: Option<i64>, output: Option<i64>) -> bool {
    let compared = alternative.compare.iter().all(|c| {
        let (a, b) = (value(&c.input, input), value(&c.output, output));
        match (c.op, a, b) {
            (Comparator::Is, a, b) => a == b,
            (op, Some(a), Some(b)) => match op {
                Comparator::Less => a < b,
                Comparator::AtMost => a <= b,
                Comparator::Greater => a > b,
                Comparator::AtLeast => a >= b,
                Comparator::Is | Comparator::Equal => a == b,
            },
            _ => false,
        }
    });
    compared
        && alternative.input.iter().all(|c| holds(c, input))
        && alternative.output.iter().all(|c| holds(c, output))
}

fn days() -> impl Strategy<Value = BTreeSet<Option<i64>>> {
    prop::collection::btree_set(prop::option::weighted(0.9, -5i64..30), 0..25)
}

fn alternative() -> impl Strategy<Value = Alternative> {
    let expression = prop::sample::select(vec!["day", "day - 1", "day - 6", "day / 7", "4"]);
    let op = prop::sample::select(vec![
        Comparator::Is,
        Comparator::Equal,
        Comparator::Less,
        Comparator::AtMost,
        Comparator::Greater,
        Comparator::AtLeast,
    ]);
    let comparison =
        (prop::sample::select(vec!["day", "day / 7"]), op, expression).prop_map(|(input, op, output)| {
            Comparison {
                input: input.into(),
                op,
                output: output.into(),
            }
        });
    let condition = || {
        let one = prop::sample::select(vec!["day >= 3", "day IS NULL"]).prop_map(str::to_owned);
        prop::collection::vec(one, 0..=1)
    };
    (prop::collection::vec(comparison, 0..=3), condition(), condition()).prop_map(
        |(mut compare, input, output)| {
            // Only one value is compared by order; a second one is left out, which is tested on its own.
            let ordered = |c: &Comparison| !matches!(c.op, Comparator::Is | Comparator::Equal);
            let first = compare.iter().find(|c| ordered(c)).map(|c| c.input.clone());
            compare.retain(|c| !ordered(c) || Some(&c.input) == first.as_ref());
            Alternative {
                compare,
                input,
                output,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::with_cases(400) })]

    #[test]
    fn ranges_are_what_pairs_say(
        inputs in days(),
        outputs in days(),
        alternatives in prop::collection::vec(alternative(), 0..4),
        changed in days(),
    ) {
        let name: DatasetName = "a.in".parse().expect("a name");
        let job: DatasetName = "a.out".parse().expect("a name");
        let digest = |d: &Option<i64>| {
            let mut sum = MultisetHash::EMPTY;
            let n = d.map_or(1_000, |d| u128::from(d.unsigned_abs()) * 7 + u128::from(d < 0) + 1);
            sum.insert([n * n * n, !(n * n * n * 31)]);
            sum
        };
        let world = World(inputs.iter().map(|d| (key(*d), digest(d))).collect());
        let reads = BTreeMap::from([(name.clone(), Reads::Where(alternatives.clone()))]);
        let keys: Vec<SliceKey> = outputs.iter().map(|d| key(*d)).collect();
        let keys: Vec<&SliceKey> = keys.iter().collect();
        let resolution = Resolution::new(&job, &reads, &world, &Arithmetic, &keys);
        let met = resolution.meets(&name, &|s| changed.iter().any(|d| key(*d) == *s));
        for (i, v) in outputs.iter().enumerate() {
            let read = |s: &&Option<i64>| alternatives.iter().any(|a| meets(a, **s, *v));
            let wanted: BTreeSet<SliceKey> = inputs.iter().filter(read).map(|d| key(*d)).collect();
            let found: BTreeSet<SliceKey> = match &resolution.reads(i)[0].1 {
                Read::All => inputs.iter().map(|d| key(*d)).collect(),
                Read::Slices(list) => list.iter().cloned().collect(),
            };
            prop_assert_eq!(&found, &wanted, "{:?}", v);
            prop_assert_eq!(resolution.reads_any(i, &name), !wanted.is_empty());
            prop_assert_eq!(met[i], wanted.iter().any(|s| changed.iter().any(|d| key(*d) == *s)));
            // One order: the digest is that of the union.
            let orders = alternatives.iter().flat_map(|a| &a.compare).any(|c| c.input != "day");
            if !orders && alternatives.len() == 1 {
                let sum: MultisetHash = inputs.iter().filter(read).map(digest).collect();
                let digests = if sum == MultisetHash::EMPTY { vec![] } else { vec![sum] };
                prop_assert_eq!(&resolution.digests(i)[0].1, &InputDigest::Some(digests));
            }
        }
    }
}

#[test]
fn a_second_order_is_left_out() {
    let name: DatasetName = "a.in".parse().expect("a name");
    let compare = |input: &str, op| Comparison {
        input: input.into(),
        op,
        output: "day".into(),
    };
    let both = Alternative {
        compare: vec![
            compare("day", Comparator::AtMost),
            compare("day / 7", Comparator::AtLeast),
        ],
        ..Alternative::default()
    };
    let world = World((1..=9).map(|d| (key(Some(d)), MultisetHash::EMPTY)).collect());
    let reads = BTreeMap::from([(name.clone(), Reads::Where(vec![both]))]);
    let outputs = [key(Some(3))];
    let outputs: Vec<&SliceKey> = outputs.iter().collect();
    let found = Resolution::new(&name, &reads, &world, &Arithmetic, &outputs).reads(0);
    let wanted: Vec<SliceKey> = (1..=3).map(|d| key(Some(d))).collect();
    assert_eq!(found[0].1, Read::Slices(wanted));
}
