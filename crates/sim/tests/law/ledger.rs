//! What the sources hold by their definition: for each file the newest content that could be read; a content that several files
//! hold counts once.

use std::collections::BTreeMap;

use crate::amendment::Amendment;
use crate::world::{Content, Row, Source};

/// What is in the places, and what was taken in of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// By source and file, what is in its place.
    places: BTreeMap<(String, String), Content>,
    /// By source and file, the newest content that could be read, with its text.
    taken: BTreeMap<(String, String), (String, Vec<Row>)>,
    /// The corrections that hold, in their order.
    amendments: Vec<Amendment>,
}

impl Ledger {
    /// A file is written.
    pub(crate) fn write(&mut self, source: &str, file: &str, content: &Content) {
        self.places
            .insert((source.to_owned(), file.to_owned()), content.clone());
    }

    /// A file is removed.
    pub(crate) fn remove(&mut self, source: &str, file: &str) {
        self.places.remove(&(source.to_owned(), file.to_owned()));
    }

    /// What is in a source's place is taken in.
    pub(crate) fn deliver(&mut self, source: &Source) {
        for (key, content) in &self.places {
            if key.0 == source.name
                && let Content::Rows(rows) = content
            {
                self.taken
                    .insert(key.clone(), (source.written(content), rows.clone()));
            }
        }
    }

    /// A correction holds from now on.
    pub(crate) fn amend(&mut self, amendment: &Amendment) {
        self.amendments.push(amendment.clone());
    }

    /// A correction holds no more.
    pub(crate) fn revert(&mut self, number: usize) {
        self.amendments.retain(|a| a.number != number);
    }

    /// Returns the corrections of a dataset that hold, in their order.
    pub(crate) fn amendments(&self, dataset: &str) -> impl Iterator<Item = &Amendment> {
        self.amendments.iter().filter(move |a| a.dataset == dataset)
    }

    /// Returns the rows of a source, as they were delivered.
    pub(crate) fn rows(&self, source: &str) -> Vec<Row> {
        let of_source = self.taken.iter().filter(|((s, _), _)| s == source);
        let distinct: BTreeMap<&String, &Vec<Row>> =
            of_source.map(|(_, (text, rows))| (text, rows)).collect();
        distinct.into_values().flatten().cloned().collect()
    }
}
