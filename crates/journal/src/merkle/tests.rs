//! The tree against the definitions of RFC 6962, sections 2.1 to 2.1.2, written down as they stand there.

use proptest::prelude::*;

use super::*;

/// MTH of section 2.1: the hash of a list of entries.
fn mth(d: &[Vec<u8>]) -> Hash {
    match d {
        [] => Hash::from_bytes(Sha256::digest([]).into()),
        [one] => Hash::from_bytes(
            Sha256::new()
                .chain_update([0])
                .chain_update(one)
                .finalize()
                .into(),
        ),
        _ => {
            let (left, right) = d.split_at(below(d.len()));
            let hasher = Sha256::new().chain_update([1]).chain_update(mth(left).as_bytes());
            Hash::from_bytes(hasher.chain_update(mth(right).as_bytes()).finalize().into())
        }
    }
}

/// The largest power of two smaller than `n`.
fn below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// PATH of section 2.1.1.
fn oracle_path(m: usize, d: &[Vec<u8>]) -> Vec<Hash> {
    if d.len() == 1 {
        return vec![];
    }
    let k = below(d.len());
    let (left, right) = d.split_at(k);
    let (mut path, other) = if m < k {
        (oracle_path(m, left), right)
    } else {
        (oracle_path(m - k, right), left)
    };
    path.push(mth(other));
    path
}

/// SUBPROOF of section 2.1.2.
fn oracle_growth(m: usize, d: &[Vec<u8>], whole: bool) -> Vec<Hash> {
    if m == d.len() {
        return if whole { vec![] } else { vec![mth(d)] };
    }
    let k = below(d.len());
    let (left, right) = d.split_at(k);
    let (mut proof, other) = if m <= k {
        (oracle_growth(m, left, whole), right)
    } else {
        (oracle_growth(m - k, right, false), left)
    };
    proof.push(mth(other));
    proof
}

fn entries(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| format!("entry {i}").into_bytes()).collect()
}

/// A tree that keeps what a store keeps: leaves, and the tiles that pushing them gave.
#[derive(Default)]
struct Kept {
    leaves: Vec<Hash>,
    tiles: Vec<Tile>,
    edge: Edge,
}

impl Kept {
    fn of(entries: &[Vec<u8>]) -> Self {
        let mut kept = Self::default();
        for entry in entries {
            kept.leaves.push(leaf(entry));
            kept.edge.push(leaf(entry), &mut kept.tiles);
        }
        kept
    }
}

impl Tree for Kept {
    fn row(&self, level: u32, from: u64, count: u64) -> Result<Vec<Hash>, Error> {
        let wanted = from..from + count;
        let row: Vec<Hash> = if level == 0 {
            self.leaves[from as usize..(from + count) as usize].to_vec()
        } else {
            let of_level = self
                .tiles
                .iter()
                .filter(|tile| u32::from(tile.level) * STEP == level);
            of_level
                .filter(|tile| wanted.contains(&tile.number))
                .map(|tile| tile.hash)
                .collect()
        };
        assert_eq!(row.len() as u64, count, "level {level} from {from}");
        Ok(row)
    }
}

#[test]
fn every_small_tree_has_the_defined_hashes_and_proofs() {
    for size in 0..70 {
        let entries = entries(size);
        let kept = Kept::of(&entries);
        let root = mth(&entries);
        assert_eq!(kept.edge.root(), root);
        for index in 0..size {
            let path = path(&kept, index as u64, size as u64).expect("a path");
            assert_eq!(path, oracle_path(index, &entries), "{index} of {size}");
            assert_eq!(
                climb(kept.leaves[index], index as u64, size as u64, &path),
                Some(root)
            );
        }
        for old in 1..=size {
            let proof = growth(&kept, old as u64, size as u64).expect("a proof");
            assert_eq!(proof, oracle_growth(old, &entries, true), "{old} to {size}");
            assert!(grew(
                old as u64,
                &mth(&entries[..old]),
                size as u64,
                &root,
                &proof
            ));
        }
    }
}

#[test]
fn a_tree_with_two_levels_of_tiles() {
    let entries = entries(66_000);
    let kept = Kept::of(&entries);
    let size = entries.len() as u64;
    assert_eq!(kept.tiles.iter().filter(|tile| tile.level == 1).count(), 257);
    assert_eq!(kept.tiles.iter().filter(|tile| tile.level == 2).count(), 1);
    for index in [0, 255, 256, 65_535, 65_536, 65_999] {
        let path = path(&kept, index, size).expect("a path");
        assert_eq!(path, oracle_path(index as usize, &entries));
        assert_eq!(
            climb(kept.leaves[index as usize], index, size, &path),
            Some(kept.edge.root())
        );
    }
    assert_eq!(Edge::read(&kept, size).expect("an edge"), kept.edge);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_agrees_with_the_definition(size in 1usize..1500, at in 0.0..1.0f64, old in 0.0..1.0f64) {
        let entries = entries(size);
        let kept = Kept::of(&entries);
        let (index, old) = ((size as f64 * at) as usize, 1 + (size as f64 * old) as usize);
        prop_assert_eq!(kept.edge.root(), mth(&entries));
        prop_assert_eq!(&Edge::read(&kept, size as u64).expect("an edge"), &kept.edge);
        prop_assert_eq!(path(&kept, index as u64, size as u64).expect("a path"), oracle_path(index, &entries));
        let proof = growth(&kept, old as u64, size as u64).expect("a proof");
        prop_assert_eq!(proof, oracle_growth(old, &entries, true));
    }

    #[test]
    fn a_changed_proof_proves_nothing(size in 2u64..400, index: u64, old: u64, byte in 0usize..32, bit in 0u8..8) {
        let entries = entries(size as usize);
        let kept = Kept::of(&entries);
        let (index, old, root) = (index % size, 1 + old % (size - 1), kept.edge.root());
        let leaf = kept.leaves[index as usize];
        let good = path(&kept, index, size).expect("a path");
        let flip = |hash: &Hash| {
            let mut bytes = *hash.as_bytes();
            bytes[byte] ^= 1 << bit;
            Hash::from_bytes(bytes)
        };
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] = flip(&changed[at]);
            prop_assert_ne!(climb(leaf, index, size, &changed), Some(root));
        }
        prop_assert_ne!(climb(flip(&leaf), index, size, &good), Some(root));
        prop_assert_eq!(climb(leaf, size, size, &good), None);
        prop_assert_eq!(climb(leaf, index, size, &good[1..]), None);
        prop_assert_eq!(climb(leaf, index, size, &[good.clone(), vec![leaf]].concat()), None);

        let old_root = mth(&entries[..old as usize]);
        let proof = growth(&kept, old, size).expect("a proof");
        prop_assert!(grew(old, &old_root, size, &root, &proof));
        prop_assert!(!grew(old, &flip(&old_root), size, &root, &proof));
        prop_assert!(!grew(old, &old_root, size, &flip(&root), &proof));
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] = flip(&changed[at]);
            prop_assert!(!grew(old, &old_root, size, &root, &changed));
        }
        prop_assert!(!grew(old, &old_root, size, &root, &[proof, vec![root]].concat()));
    }
}
