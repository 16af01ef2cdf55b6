//! Deliveries: a file's content is taken in once; a file that changed replaces what came from it.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::Hash;
use mainstay_model::dataset::{DataFile, SliceVersion};
use mainstay_model::delivery::{Delivery, Outcome};
use mainstay_model::fact::{
    Delivered, DeliveryAnswered, Fact, Layer, Published, PublishedDataset, PublishedSlice,
};
use mainstay_model::id::DeliveryId;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::schema::Schema;
use mainstay_model::spec::OnRedelivery;
use mainstay_model::{DatasetName, SliceKey};

use super::not_found;
use super::publish::{after, layered};
use crate::command::{DeliveredFile, Overlaid, Refusal, RefusalKind, Taken};
use crate::state::{Dataset, State};
use crate::view::Sight;

/// What the source holds while the files are decided one after the other.
struct Source {
    /// By file, the delivery whose rows are in the dataset.
    active: BTreeMap<String, (DeliveryId, Hash)>,
    /// By content, what brought it.
    by_content: BTreeMap<Hash, Holder>,
    /// By slice, its files.
    slices: BTreeMap<SliceKey, Vec<DataFile>>,
    touched: BTreeSet<SliceKey>,
}

/// The file that brought a content.
#[derive(Clone)]
struct Holder {
    file: String,
    delivery: DeliveryId,
    /// How it was read; not known of facts of before that was recorded.
    reading: Option<Hash>,
}

impl Source {
    fn new(sight: &Sight<'_>, name: &DatasetName) -> Self {
        let files = || sight.state.sources.get(name).into_iter().flatten();
        let active: BTreeMap<_, _> = files()
            .filter_map(|(f, s)| Some((f.clone(), s.active?)))
            .collect();
        let holder = |(file, held): (&String, &crate::state::SourceFile)| {
            let (delivery, content) = held.active?;
            let holder = Holder {
                file: file.clone(),
                delivery,
                reading: held.reading,
            };
            Some((content, holder))
        };
        let held = sight
            .datasets
            .get(name)
            .into_iter()
            .flat_map(|d| d.base().newest());
        Self {
            by_content: files().filter_map(holder).collect(),
            slices: held.map(|(k, v)| (k.clone(), v.files.clone())).collect(),
            touched: BTreeSet::new(),
            active,
        }
    }

    /// Takes the rows out that came from a file.
    fn withdraw(&mut self, file: &str) -> Option<DeliveryId> {
        let (id, content) = self.active.remove(file)?;
        if self.by_content.get(&content).is_some_and(|h| h.file == file) {
            self.by_content.remove(&content);
        }
        for (slice, files) in &mut self.slices {
            let before = files.len();
            files.retain(|f| f.origin.as_deref() != Some(file));
            if files.len() != before {
                self.touched.insert(slice.clone());
            }
        }
        Some(id)
    }

    fn bring(&mut self, file: &str, id: DeliveryId, content: Hash, reading: Hash, taken: Taken) {
        for (slice, staged) in taken.files {
            self.touched.insert(slice.clone());
            self.slices.entry(slice).or_default().push(staged);
        }
        self.active.insert(file.to_owned(), (id, content));
        let holder = Holder {
            file: file.to_owned(),
            delivery: id,
            reading: Some(reading),
        };
        self.by_content.insert(content, holder);
    }
}

/// What a delivery means: what is recorded of its files, and what its source publishes, before amendments.
struct Meaning {
    delivered: Vec<Fact>,
    taken: Vec<DeliveryId>,
    publish: Option<PublishedDataset>,
}

/// Says whether a file is held back: its source asks, amendments would change other rows after it than before, and nobody has
/// said yes to just that. Files that are read again because their source says something else were agreed to with that.
pub fn is_held(sight: &Sight<'_>, source: &DatasetName, file: &DeliveredFile) -> bool {
    let key = ResourceKey::new(Kind::Source, source);
    let asks = match sight.resource(&key).map(|r| &r.spec) {
        Some(Spec::Source(spec)) => spec.on_redelivery == OnRedelivery::Ask,
        _ => false,
    };
    if !asks || file.reapplied.is_empty() || matches!(file.result, Some(Err(_))) {
        return false;
    }
    let Some(known) = sight.state.sources.get(source).and_then(|f| f.get(&file.file)) else {
        return true;
    };
    let reread = known.active.is_some_and(|(_, content)| content == file.content);
    let agreed = known.answer == Some(true)
        && known.last.content == file.content
        && known.last.reapplied == file.reapplied;
    !reread && !agreed
}

pub(super) fn answer(state: &State, id: DeliveryId, accepted: bool) -> Result<Vec<Fact>, Refusal> {
    let mut files = state.sources.values().flat_map(BTreeMap::values);
    let file = files.find(|f| f.last.id == id);
    let file =
        file.ok_or_else(|| not_found(format!("there is no delivery {id}, or its file came again since")))?;
    let says = match (&file.last.outcome, file.answer) {
        (Outcome::Held { .. }, None) => None,
        (Outcome::Held { .. }, Some(same)) if same == accepted => return Ok(Vec::new()),
        // Who said yes and thinks better of it before the file was taken in may say no.
        (Outcome::Held { .. }, Some(true)) => None,
        (Outcome::Held { .. }, Some(false)) => Some("was given up"),
        (Outcome::Taken { .. }, _) => Some("was taken in"),
        (Outcome::Duplicate { .. }, _) => Some("was there already"),
        (Outcome::SetAside { .. }, _) => Some("was set aside"),
    };
    match says {
        None => Ok(vec![
            DeliveryAnswered {
                delivery: id,
                source: file.last.source.clone(),
                accepted,
            }
            .into(),
        ]),
        Some(says) => Err(Refusal {
            kind: RefusalKind::Invalid,
            code: "MS0409",
            message: format!("delivery {id} {says}: it does not wait for a yes"),
            help: Some("mainstay list delivery shows those that are held".to_owned()),
        }),
    }
}

/// Returns what a source holds, before amendments, once these files are taken in.
pub fn base_after_delivery(
    sight: &Sight<'_>,
    name: &DatasetName,
    schema: &Schema,
    slice_columns: &[String],
    files: &[DeliveredFile],
) -> BTreeMap<SliceKey, SliceVersion> {
    let empty = Dataset::default();
    let held = sight.datasets.get(name).map_or(&empty, |d| d.base());
    let meaning = decided(
        sight,
        name,
        schema.clone(),
        slice_columns.to_vec(),
        files.to_vec(),
    );
    match meaning.publish {
        Some(publish) => after(held, &publish),
        None => held.newest().map(|(k, v)| (k.clone(), v.clone())).collect(),
    }
}

pub(super) fn deliver(
    sight: &Sight<'_>,
    name: &DatasetName,
    schema: Schema,
    slice_columns: Vec<String>,
    files: Vec<DeliveredFile>,
    overlaid: Option<Overlaid>,
) -> Result<Vec<Fact>, Refusal> {
    let meaning = decided(sight, name, schema, slice_columns, files);
    let mut facts = meaning.delivered;
    if let Some(base) = meaning.publish {
        let held = sight.datasets.get(name).map(|d| &**d);
        let published = Published {
            run: None,
            deliveries: meaning.taken,
            datasets: layered(held, base, overlaid)?,
            branch: None,
            amendment: None,
            promotes: None,
        };
        facts.push(published.into());
    }
    Ok(facts)
}

fn decided(
    sight: &Sight<'_>,
    name: &DatasetName,
    schema: Schema,
    slice_columns: Vec<String>,
    files: Vec<DeliveredFile>,
) -> Meaning {
    let mut source = Source::new(sight, name);
    let mut facts: Vec<Fact> = Vec::new();
    let mut taken_ids = Vec::new();
    let mut next = sight.state.last_delivery;
    for f in files {
        next += 1;
        let id = DeliveryId(next);
        // What was read another way is not the same, though its bytes are.
        let held = source.by_content.get(&f.content).cloned();
        let held = held.filter(|h| f.result.is_none() || h.reading.is_none_or(|r| r == f.reading));
        let waits = is_held(sight, name, &f);
        let outcome = match (held, f.result) {
            (_, result) if waits => {
                let staged = result.and_then(Result::ok);
                let (rows, files) = staged.map(|t| (t.rows, t.files)).unwrap_or_default();
                let slices: BTreeSet<SliceKey> = files.into_iter().map(|(s, _)| s).collect();
                Outcome::Held {
                    rows,
                    slices: slices.into_iter().collect(),
                    grounds: f.grounds,
                }
            }
            (Some(holder), _) => {
                if holder.file != f.file {
                    source.withdraw(&f.file);
                }
                Outcome::Duplicate { of: holder.delivery }
            }
            // Neither there nor read: what it duplicated went away in this very delivery; the next look reads it.
            (None, None) => continue,
            (None, Some(Err(error))) => Outcome::SetAside { error },
            (None, Some(Ok(taken))) => {
                let replaced = source.withdraw(&f.file);
                let outcome = Outcome::Taken {
                    rows: taken.rows,
                    slices: taken
                        .files
                        .iter()
                        .map(|(s, _)| s.clone())
                        .collect::<BTreeSet<_>>()
                        .into_iter()
                        .collect(),
                    replaced,
                };
                source.bring(&f.file, id, f.content, f.reading, taken);
                taken_ids.push(id);
                outcome
            }
        };
        let delivery = Delivery {
            id,
            source: name.clone(),
            file: f.file,
            observed: f.observed,
            content: f.content,
            outcome,
            reading: Some(f.reading),
            reapplied: f.reapplied,
        };
        facts.push(Delivered { delivery }.into());
    }
    let publish = publish(sight, name, schema, slice_columns, source, &taken_ids);
    Meaning {
        delivered: facts,
        taken: taken_ids,
        publish,
    }
}

fn publish(
    sight: &Sight<'_>,
    name: &DatasetName,
    schema: Schema,
    slice_columns: Vec<String>,
    mut source: Source,
    deliveries: &[DeliveryId],
) -> Option<PublishedDataset> {
    let held = sight.datasets.get(name).map(|d| d.base());
    let (mut slices, mut removed) = (Vec::new(), Vec::new());
    for slice in source.touched {
        let mut files = source.slices.remove(&slice).unwrap_or_default();
        if files.is_empty() {
            removed.push(slice);
            continue;
        }
        // The order in which a slice is read does not depend on the order of arrival.
        files.sort_by(|a, b| (&a.origin, &a.path).cmp(&(&b.origin, &b.path)));
        let content = SliceVersion { files };
        let same = held.and_then(|d| d.slices.get(&slice)).and_then(|h| h.newest()) == Some(&content);
        if !same {
            slices.push(PublishedSlice {
                slice,
                fingerprint: None,
                content: Some(content),
                run: None,
            });
        }
    }
    let schema_changed = held.and_then(|d| d.schema()).is_some_and(|s| *s != schema);
    if slices.is_empty() && removed.is_empty() && !schema_changed && held.is_some() {
        return None;
    }
    if slices.is_empty() && removed.is_empty() && deliveries.is_empty() {
        return None;
    }
    let version = held.map_or(0, |d| d.version()) + 1;
    Some(PublishedDataset {
        dataset: name.clone(),
        version,
        schema,
        slice_columns,
        slices,
        removed,
        whole: None,
        layer: Layer::Shown,
        overlay: None,
    })
}
