//! Data files on their way into a backup: which are needed, which are there, and copying the rest.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use mainstay_api::{Error, Progress};
use mainstay_base::Hash;
use mainstay_engine::CancelToken;
use mainstay_storage::Store;

use super::place::{CopiedFile, DATA, FILES, FileList, Known, Listed, Place, json};
use crate::error;
use crate::instance::{Instance, Watch};
use crate::ledger::Ledger;
use crate::step;

/// How many files are copied at the same time.
pub(super) const AT_ONCE: usize = 8;

/// A list of copied files is written after so many, or so many bytes: what is copied since the last one is copied again after a
/// crash.
const LISTED_FILES: usize = 2048;
const LISTED_BYTES: u64 = 1 << 30;

/// A data file that a home refers to.
#[derive(Clone, Debug)]
pub(super) struct Needed {
    pub(super) account: String,
    /// Its path in the account's store, which is its path below `data/` in a backup.
    pub(super) path: String,
    pub(super) bytes: u64,
}

/// What became of copying.
#[derive(Debug, Default)]
pub(super) struct Copying {
    /// Files that were not there any more.
    pub(super) gone: Vec<Needed>,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// All data files that any account refers to, on any side and at any version.
pub(super) fn needed(ledger: &Ledger) -> Vec<Needed> {
    let mut needed = Vec::new();
    for (account, state) in ledger.states() {
        for (dataset, files) in state.files() {
            let table = format!("{account}/{}/{}", dataset.schema(), dataset.table());
            needed.extend(files.into_iter().map(|(path, bytes)| Needed {
                account: account.to_owned(),
                path: format!("{table}/{path}"),
                bytes: bytes.0,
            }));
        }
    }
    needed
}

/// The tables that something is needed of, as paths.
pub(super) fn tables(needed: &[Needed]) -> BTreeSet<String> {
    let table = |path: &str| path.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    needed.iter().map(|n| table(&n.path)).collect()
}

impl Instance {
    /// The stores of all accounts that something is needed of.
    pub(super) fn stores(&self, needed: &[Needed]) -> Result<BTreeMap<String, Store>, Error> {
        let accounts: BTreeSet<&String> = needed.iter().map(|n| &n.account).collect();
        let store = |account: &String| {
            let store = self.as_part_of(account, "mainstay", None)?.store()?;
            Ok((account.clone(), store))
        };
        accounts.into_iter().map(store).collect()
    }
}

impl Place {
    /// The files that earlier backups copied, finished or not, and that are still there with their sizes.
    pub(super) async fn known(&self, needed: &[Needed]) -> Result<(Known, BTreeSet<Listed>), Error> {
        let mut known = Known::new();
        let mut lists = BTreeSet::new();
        for found in self.list(&format!("{FILES}/*.json")).await? {
            let name = found.path.rsplit('/').next().unwrap_or_default();
            let Ok(content) = name.trim_end_matches(".json").parse::<Hash>() else {
                continue;
            };
            let listed = Listed {
                object: found.path.clone(),
                content,
            };
            // One that is damaged lists nothing: its files are copied again, and listed again.
            let Ok(list) = self.read_list(&listed).await else {
                continue;
            };
            known.extend(list.files.into_iter().map(|f| (f.path.clone(), f)));
            lists.insert(listed);
        }
        let there = self.sizes(needed).await?;
        known.retain(|path, file| there.get(path) == Some(&file.bytes));
        Ok((known, lists))
    }

    /// The sizes of all objects in the folders of the tables that something is needed of.
    pub(super) async fn sizes(&self, needed: &[Needed]) -> Result<BTreeMap<String, u64>, Error> {
        let mut there = BTreeMap::new();
        for table in tables(needed) {
            for found in self.list(&format!("{DATA}/{table}/**")).await? {
                if let Some(path) = found.path.strip_prefix(&format!("{DATA}/")) {
                    there.insert(path.to_owned(), found.bytes.0);
                }
            }
        }
        Ok(there)
    }

    /// Copies files here, and lists them as they come.
    pub(super) async fn take(
        &self,
        stores: &BTreeMap<String, Store>,
        files: Vec<Needed>,
        lists: &mut BTreeSet<Listed>,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<Copying, Error> {
        let mut copying = Copying::default();
        let mut list = FileList::default();
        let mut unlisted = 0;
        let mut copies = futures::stream::iter(files)
            .map(|file| async move {
                let Some(store) = stores.get(&file.account) else {
                    return (file, None);
                };
                let copied = store
                    .copy_to(&file.path, &self.store, &format!("{DATA}/{}", file.path))
                    .await;
                (file, Some(copied))
            })
            .buffer_unordered(AT_ONCE);
        while let Some((file, copied)) = copies.next().await {
            super::going_on(cancel)?;
            match copied {
                Some(Ok((content, bytes))) => {
                    copying.files += 1;
                    copying.bytes += bytes.0;
                    unlisted += bytes.0;
                    list.files.push(CopiedFile {
                        path: file.path,
                        bytes: bytes.0,
                        content,
                    });
                    watch(Progress::At {
                        what: super::WHAT.to_owned(),
                        done: copying.files,
                    });
                }
                Some(Err(e)) if e.kind == mainstay_storage::Kind::NotFound => copying.gone.push(file),
                Some(Err(e)) => return Err(error::storage(&e)),
                None => copying.gone.push(file),
            }
            if list.files.len() >= LISTED_FILES || unlisted >= LISTED_BYTES {
                lists.insert(self.write_list(std::mem::take(&mut list)).await?);
                unlisted = 0;
            }
        }
        if !list.files.is_empty() {
            lists.insert(self.write_list(list).await?);
        }
        Ok(copying)
    }

    /// Writes a list of files, after they are there for good.
    async fn write_list(&self, mut list: FileList) -> Result<Listed, Error> {
        step::at("backup.copied");
        let paths: Vec<String> = list.files.iter().map(|f| format!("{DATA}/{}", f.path)).collect();
        self.store.persist(&paths).await.map_err(|e| error::storage(&e))?;
        list.files.sort_by(|a, b| a.path.cmp(&b.path));
        let bytes = json(&list)?;
        let content = Hash::of(&bytes);
        let object = format!("{FILES}/{content}.json");
        self.put(&object, bytes).await?;
        step::at("backup.listed");
        Ok(Listed { object, content })
    }
}

/// The path of a dataset's file, for people: dataset and file.
pub(super) fn shown(path: &str) -> String {
    let parts: Vec<&str> = path.splitn(4, '/').collect();
    match parts.as_slice() {
        [_, schema, table, file] => format!("{schema}.{table}: {file}"),
        _ => path.to_owned(),
    }
}
