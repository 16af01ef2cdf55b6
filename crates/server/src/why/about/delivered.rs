//! Why of deliveries, also of those that another delivery of the same file has followed.

use mainstay_model::delivery::{Delivery, Outcome};
use mainstay_model::id::DeliveryId;
use mainstay_model::{Address, DatasetName};

use crate::why::Answered;
use crate::why::look::{By, Look, changing, delivery as delivery_of, of};
use crate::why::trace::{Trace, outcome};

/// Finds a delivery: the newest of each file is known; older ones stand beside the publishes of their source, whose numbers
/// grow with the deliveries'.
fn find_delivery(look: &Look<'_>, id: DeliveryId) -> Option<(By, Delivery)> {
    let files = look.sight.state.sources.values().flat_map(|s| s.values());
    if let Some(file) = files.into_iter().find(|f| f.last.id == id) {
        return Some((look.by(file.seq, file.time), file.last.clone()));
    }
    let mut publishes: Vec<(u64, &DatasetName)> = Vec::new();
    for source in look.sight.state.sources.keys() {
        let held = look.sight.state.main.dataset(source);
        let versions = held
            .into_iter()
            .flat_map(|d| d.versions.iter().chain(&d.base().versions));
        publishes.extend(
            versions
                .filter(|v| v.run.is_none() && v.amendment.is_none())
                .map(|v| (v.seq, source)),
        );
    }
    publishes.sort_unstable();
    publishes.dedup();
    let newest = |at: &(u64, &DatasetName)| {
        let record = look.record(at.0.saturating_sub(1))?;
        Some(delivery_of(&record)?.id)
    };
    let at = publishes.partition_point(|p| newest(p).is_none_or(|n| n < id));
    let (seq, source) = publishes.get(at)?;
    let found = look.delivered_with(*seq, source, |d| d.id != id);
    let (record, delivery) = found.into_iter().find(|(_, d)| d.id == id)?;
    Some((By::from(&record), delivery))
}

pub(in crate::why) fn delivery(look: &Look<'_>, thing: &Address, id: DeliveryId) -> Option<Answered> {
    let (by, d) = find_delivery(look, id)?;
    let mut trace = Trace::new(look);
    let who = by.who.clone().unwrap_or_default();
    let cause = by.cause("delivery", format!("{id} delivered {} to {}", d.file, d.source));
    trace.add(None, of(changing(cause, outcome(&d)), format!("delivery/{id}")));
    let state = match &d.outcome {
        Outcome::Taken { .. } => "taken",
        Outcome::Duplicate { .. } => "duplicate",
        Outcome::SetAside { .. } => "set_aside",
        Outcome::Held { .. } => "held",
    };
    let summary = format!("{who} had {} taken in: {}", d.file, outcome(&d));
    let mut answered = Answered::new(thing, state, summary, trace.finish());
    answered.dataset = Some(d.source.clone());
    Some(answered.next([
        format!("mainstay why {}", d.source),
        format!("mainstay history {}", d.source),
    ]))
}
