//! From what slices were computed: the slices of the inputs, and which of them changed last.

use mainstay_api::Cause;
use mainstay_control::{Run, SliceHistory};
use mainstay_model::SliceKey;
use mainstay_model::spec::Reads;

use super::differ::slices_of;
use super::look::{Look, changing, of};

/// Says which slices of its inputs a run read for some slices of its output, and which of those changed last.
pub(super) fn reads(look: &Look<'_>, run: &Run, slices: &[SliceKey]) -> Vec<Cause> {
    let Some(line) = look.line(run) else {
        return Vec::new();
    };
    let scope = slices_of(&run.pinned.scope, Some(slices));
    let mut out = Vec::new();
    for input in &run.pinned.inputs {
        let Some(dataset) = line.dataset(&input.dataset) else {
            continue;
        };
        let at = |h: &SliceHistory| {
            let content = h.content_at(input.version)?;
            content.files.as_ref()?;
            Some(content.version)
        };
        let read: Vec<(&SliceKey, u64)> = match (&scope, input.reads) {
            (Some(list), Reads::Same) => list
                .iter()
                .filter_map(|k| Some((k, at(dataset.slices.get(k)?)?)))
                .collect(),
            _ => dataset
                .slices
                .iter()
                .filter_map(|(k, h)| Some((k, at(h)?)))
                .collect(),
        };
        let last = read.iter().max_by_key(|(_, version)| *version);
        let entry = last.and_then(|(_, v)| dataset.versions.iter().find(|e| e.version == *v));
        let columns = dataset.slice_columns.as_slice();
        let what = match (read.as_slice(), input.reads) {
            ([], _) => format!("it reads {}, which had no rows for it", input.dataset),
            ([(one, _)], _) if one.0.is_empty() => format!("it reads {}", input.dataset),
            ([(one, _)], _) => format!("it reads {}@{}", input.dataset, one.text(columns)),
            (many, Reads::All) => format!("it reads all {} slices of {}", many.len(), input.dataset),
            (many, Reads::Same) => format!("it reads the same {} slices of {}", many.len(), input.dataset),
        };
        let change = match (last, entry) {
            (Some((key, version)), Some(entry)) => {
                let by = match (entry.run, entry.amendment, &entry.promotes) {
                    (_, Some(id), _) => format!("amendment/{id}"),
                    (Some(id), ..) => format!("run/{id}"),
                    (.., Some(branch)) => format!("branch/{branch}"),
                    _ => "a delivery".to_owned(),
                };
                let of_it = if key.0.is_empty() {
                    String::new()
                } else {
                    format!(", in @{}", key.text(columns))
                };
                format!("changed last by {by}, version {version}{of_it}")
            }
            _ => String::new(),
        };
        let what = format!("{what} at version {}", input.version);
        let by = entry.map(|e| look.by(e.seq, e.time)).unwrap_or_default();
        out.push(of(changing(by.cause("reads", what), change), &input.dataset));
    }
    out
}
