//! mainstay in this process: as fast as it can be.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use mainstay_api::{Error, ErrorKind, Progress, RunReport};
use mainstay_base::MultisetHash;
use mainstay_model::address::Selection;
use mainstay_model::{Address, ApplyId, DatasetName};
use mainstay_server::{Access, CancelToken, Context, Instance, Options, QueryOptions, RunRequest};

use crate::case::Wanted;
use crate::oracle::Rows;
use crate::subject::{Digests, Place, Subject, amend_at, revert_at, sorted};

/// A project with its home, open or not.
#[derive(Debug)]
pub(crate) struct Here {
    place: Place,
    instance: Option<Instance>,
    /// By dataset, what it held at a version.
    read: BTreeMap<String, (u64, Rows)>,
    last_apply: Option<u64>,
}

impl Here {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::new(),
            instance: None,
            read: BTreeMap::new(),
            last_apply: None,
        }
    }

    fn instance(&mut self) -> Result<&Instance, Error> {
        if self.instance.is_none() {
            self.instance = Some(Instance::open(Options {
                journal: None,
                home: self.place.path(".mainstay"),
                project: Some(self.place.root().to_owned()),
                access: Access::Write,
                // A program that another thread starts holds the lock, too, from its fork to its exec.
                wait: Some(std::time::Duration::from_secs(5)),
                branch: None,
                context: Context {
                    account: "main".to_owned(),
                    actor: "ana".to_owned(),
                    reason: None,
                    request: None,
                },
            })?);
        }
        Ok(self.instance.as_ref().expect("it is open"))
    }
}

impl Subject for Here {
    fn place(&mut self) -> &mut Place {
        &mut self.place
    }

    fn apply(&mut self) -> Result<(), Error> {
        let report = self.instance()?.apply(None, true)?;
        self.last_apply = report.apply;
        Ok(())
    }

    fn revert_apply(&mut self) -> Result<bool, Error> {
        let Some(last) = self.last_apply.take() else {
            return Ok(false);
        };
        self.instance()?.revert_apply(ApplyId(last), true)?;
        Ok(true)
    }

    fn deliver(&mut self) -> Result<(), Error> {
        self.instance()?
            .deliver(&[], &CancelToken::new(), &|_| {})
            .map(drop)
    }

    fn run(&mut self, wanted: &Wanted) -> Result<Vec<RunReport>, Error> {
        let request = RunRequest {
            targets: wanted.targets.iter().map(target).collect(),
            force: wanted.force,
            without_deliveries: false,
            class: mainstay_model::queue::Class::Interactive,
        };
        let (_, runs) = self.instance()?.run(&request, &CancelToken::new(), &|_| {})?;
        Ok(runs.runs)
    }

    fn run_until(&mut self, n: usize) -> Result<(), Error> {
        let cancel = CancelToken::new();
        let seen = AtomicUsize::new(0);
        let watch = |_: Progress| {
            if seen.fetch_add(1, Ordering::SeqCst) + 1 >= n {
                cancel.cancel();
            }
        };
        match self.instance()?.run(&RunRequest::default(), &cancel, &watch) {
            // Stopped before all files were taken in: that is done now, as the oracle has it.
            Err(e) if e.kind == ErrorKind::Interrupted => self.deliver(),
            other => other.map(drop),
        }
    }

    fn amend(&mut self, arguments: &[String]) -> Result<Option<String>, Error> {
        self.end(true)?;
        amend_at(self.place.root(), arguments)
    }

    fn revert_amendment(&mut self, id: &str) -> Result<(), Error> {
        self.end(true)?;
        revert_at(self.place.root(), id)
    }

    fn end(&mut self, cleanly: bool) -> Result<(), Error> {
        self.read.clear();
        match self.instance.take() {
            Some(instance) if cleanly => instance.close(),
            _ => Ok(()),
        }
    }

    fn rows(&mut self, name: &str) -> Result<(Rows, Option<Digests>), Error> {
        let dataset: DatasetName = name.parse().expect("a name");
        // Nothing was ever taken in: no version.
        let version = self.instance()?.dataset(&dataset).map_or(0, |d| d.version);
        if let Some((_, rows)) = self.read.get(name).filter(|(v, _)| *v == version && version > 0) {
            return Ok((rows.clone(), None));
        }
        let instance = self.instance()?;
        let sql = format!("SELECT * FROM {name}");
        let found = instance.query(&sql, QueryOptions::default(), &CancelToken::new())?;
        let slices = instance.slices(&dataset, &Selection::All)?.slices;
        let digests = Digests {
            recorded: slices
                .iter()
                .filter_map(|s| s.digest.as_ref()?.parse::<MultisetHash>().ok())
                .collect(),
            own: mainstay_catalog::digest::of_batches(&found.schema, &found.batches)
                .expect("a digest")
                .0,
        };
        let rows = sorted(&found.batches);
        self.read.insert(name.to_owned(), (version, rows.clone()));
        Ok((rows, Some(digests)))
    }
}

fn target((name, slice): &(String, Option<String>)) -> (DatasetName, Selection) {
    let address = match slice {
        Some(slice) => format!("{name}@{slice}"),
        None => name.clone(),
    };
    match address.parse() {
        Ok(Address::Dataset(name, selection)) => (name, selection),
        other => panic!("{address} is no dataset: {other:?}"),
    }
}
