//! The slices of a dataset as a snapshot holds them: without names of fields, hashes as their bytes. There are as many as there is
//! anything, so that this is what reading a snapshot costs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mainstay_base::{Bytes, Hash, MultisetHash, Rows};
use mainstay_model::SliceKey;
use mainstay_model::dataset::{DataFile, SliceVersion};
use mainstay_model::id::RunId;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::dataset::{Content, SliceHistory};

/// 32 bytes.
struct Raw([u8; 32]);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Bytes32;
        impl Visitor<'_> for Bytes32 {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }

            fn visit_bytes<E: Error>(self, v: &[u8]) -> Result<Raw, E> {
                let bytes = v.try_into().map_err(|_| E::invalid_length(v.len(), &self))?;
                Ok(Raw(bytes))
            }
        }
        d.deserialize_bytes(Bytes32)
    }
}

fn digest(raw: &Raw) -> MultisetHash {
    let lane = |half: &[u8]| {
        half.iter()
            .rev()
            .fold(0u128, |sum, byte| sum << 8 | u128::from(*byte))
    };
    let (low, high) = raw.0.split_at(16);
    let mut digest = MultisetHash::EMPTY;
    digest.insert([lane(low), lane(high)]);
    digest
}

/// A file: its path, rows, bytes, digest and origin.
type Filed<T> = (T, u64, u64, Raw, Option<T>);

/// A content: its version, run, fingerprints, files, and by which fact it was given up.
type Held<T> = (u64, Option<RunId>, Vec<Raw>, Option<Vec<Filed<T>>>, Option<u64>);

fn filed(file: &DataFile) -> Filed<&str> {
    let digest = Raw(file.digest.to_bytes());
    (
        &file.path,
        file.rows.0,
        file.bytes.0,
        digest,
        file.origin.as_deref(),
    )
}

fn file((path, rows, bytes, raw, origin): Filed<String>) -> DataFile {
    DataFile {
        path,
        rows: Rows(rows),
        bytes: Bytes(bytes),
        digest: digest(&raw),
        origin,
    }
}

fn held(content: &Content) -> Held<&str> {
    let files = content
        .files
        .as_ref()
        .map(|v| v.files.iter().map(filed).collect());
    let fingerprints = content.fingerprints.iter().map(|f| Raw(*f.as_bytes()));
    (
        content.version,
        content.run,
        fingerprints.collect(),
        files,
        content.vacuumed,
    )
}

fn content((version, run, fingerprints, files, vacuumed): Held<String>) -> Content {
    let slice = |files: Vec<Filed<String>>| SliceVersion {
        files: files.into_iter().map(file).collect(),
    };
    Content {
        version,
        run,
        fingerprints: fingerprints.into_iter().map(|f| Hash::from_bytes(f.0)).collect(),
        files: files.map(|f| Arc::new(slice(f))),
        vacuumed,
    }
}

pub(super) fn serialize<S: Serializer>(
    slices: &BTreeMap<SliceKey, SliceHistory>,
    s: S,
) -> Result<S::Ok, S::Error> {
    fn history(h: &SliceHistory) -> Vec<Held<&str>> {
        h.contents.iter().map(held).collect()
    }
    s.collect_seq(slices.iter().map(|(key, h)| (key, history(h))))
}

pub(super) fn deserialize<'de, D>(d: D) -> Result<BTreeMap<SliceKey, SliceHistory>, D::Error>
where
    D: Deserializer<'de>,
{
    let all = Vec::<(SliceKey, Vec<Held<String>>)>::deserialize(d)?;
    let history = |contents: Vec<Held<String>>| SliceHistory {
        contents: contents.into_iter().map(content).collect(),
    };
    Ok(all
        .into_iter()
        .map(|(key, contents)| (key, history(contents)))
        .collect())
}
