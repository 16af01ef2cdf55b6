//! Fingerprints: what a slice is computed from, in one hash.

use mainstay_base::hash::Hasher;
use mainstay_base::{Hash, MultisetHash};
use mainstay_model::DatasetName;

/// What is read of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputDigest {
    /// The slice of the same values, with this content.
    Slice(MultisetHash),
    /// The slice of the same values, which is not there; a slice that appears is a change.
    Absent,
    /// Everything, with this content.
    Everything(MultisetHash),
    /// Some slices, with this content: one digest for each of the orders in which they were found, sorted; none of no rows. What is not
    /// there has no rows, so that a slice that appears with rows is a change.
    Some(Vec<MultisetHash>),
}

fn input_into(hasher: &mut Hasher, name: &str, digest: &InputDigest) {
    hasher.field(name.as_bytes());
    match digest {
        InputDigest::Slice(d) => hasher.field(b"slice").field(&d.to_bytes()),
        InputDigest::Absent => hasher.field(b"absent").field(b""),
        InputDigest::Everything(d) => hasher.field(b"everything").field(&d.to_bytes()),
        InputDigest::Some(digests) => {
            let bytes: Vec<u8> = digests.iter().flat_map(|d| d.to_bytes()).collect();
            hasher.field(b"some").field(&bytes)
        }
    };
}

/// Hashes what one slice is computed from: the query, and what is read of each input (in the order of their names).
pub fn slice_fingerprint(code: Hash, inputs: &[(DatasetName, InputDigest)]) -> Hash {
    let mut hasher = slice_hasher(code);
    for (name, digest) in inputs {
        input_into(&mut hasher, &name.to_string(), digest);
    }
    hasher.finish()
}

/// Hashes as [`slice_fingerprint`] does, with the inputs' names as texts.
pub(crate) fn slice_fingerprint_of<'n>(
    code: Hash,
    inputs: impl Iterator<Item = (&'n str, InputDigest)>,
) -> Hash {
    let mut hasher = slice_hasher(code);
    for (name, digest) in inputs {
        input_into(&mut hasher, name, &digest);
    }
    hasher.finish()
}

fn slice_hasher(code: Hash) -> Hasher {
    let mut hasher = Hasher::new("mainstay slice fingerprint 1");
    hasher.field(code.as_bytes());
    hasher
}

/// Hashes what a whole dataset is computed from.
pub fn whole_fingerprint(
    code: Hash,
    slice_columns: &[String],
    inputs: &[(DatasetName, InputDigest)],
) -> Hash {
    let mut hasher = Hasher::new("mainstay whole fingerprint 1");
    hasher.field(code.as_bytes());
    hasher.field(slice_columns.join("\u{0}").as_bytes());
    for (name, digest) in inputs {
        input_into(&mut hasher, &name.to_string(), digest);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_is_not_emptiness() {
        let name: DatasetName = "a.b".parse().expect("a name");
        let fp = |d: InputDigest| slice_fingerprint(Hash::of(b"q"), &[(name.clone(), d)]);
        let all = [
            InputDigest::Absent,
            InputDigest::Slice(MultisetHash::EMPTY),
            InputDigest::Everything(MultisetHash::EMPTY),
            InputDigest::Some(Vec::new()),
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(fp(a.clone()) == fp(b.clone()), i == j);
            }
        }
    }
}
