//! mainstay itself, in this process, with a project and a home that are gone afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type};
use mainstay_api::{Error, Progress, RunReport};
use mainstay_base::MultisetHash;
use mainstay_model::address::Selection;
use mainstay_model::{Address, ApplyId, DatasetName};
use mainstay_server::{Access, CancelToken, Context, Instance, Options, QueryOptions, RunRequest};
use tempfile::TempDir;

use crate::case::Wanted;
use crate::oracle::Rows;
use crate::world::Project;

/// A project with its home, open.
#[derive(Debug)]
pub(crate) struct Subject {
    folder: TempDir,
    instance: Option<Instance>,
    written: BTreeMap<String, String>,
    /// Grows with every file that is written: no two have one time.
    clock: u64,
    /// By dataset, what it held at a version.
    read: BTreeMap<String, (u64, Rows)>,
    last_apply: Option<u64>,
}

/// Writes an error with everything that it says.
pub(crate) fn words(e: &Error) -> String {
    let mistakes = e.mistakes.iter().map(|m| format!("\n  {}: {} ({})", m.file, m.message, m.code));
    format!("{} {}{}{}", e.code, e.message, e.causes.join(": "), mistakes.collect::<String>())
}

/// A folder in memory where there is one: syncing it costs nothing.
fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

impl Subject {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("law-").tempdir_in(place()).expect("a folder"),
            instance: None,
            written: BTreeMap::new(),
            clock: 0,
            read: BTreeMap::new(),
            last_apply: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that was changed long ago, but later than any before it: nothing waits for it to be complete.
    pub(crate) fn write(&mut self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        self.clock += 1;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + self.clock);
        let file = std::fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(time).expect("a time");
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).expect("a file");
    }

    fn options(&self) -> Options {
        Options {
            home: self.path(".mainstay"),
            project: Some(self.folder.path().to_owned()),
            access: Access::Write,
            wait: None,
            context: Context {
                account: "main".to_owned(),
                actor: "ana".to_owned(),
                reason: None,
            },
        }
    }

    pub(crate) fn instance(&mut self) -> Result<&Instance, Error> {
        if self.instance.is_none() {
            self.instance = Some(Instance::open(self.options())?);
        }
        Ok(self.instance.as_ref().expect("it is open"))
    }

    /// Ends the process, as far as mainstay can tell, and forgets what was read.
    pub(crate) fn end(&mut self, cleanly: bool) -> Result<(), Error> {
        self.read.clear();
        match self.instance.take() {
            Some(instance) if cleanly => instance.close(),
            _ => Ok(()),
        }
    }

    /// Makes the project's files what they are to be.
    pub(crate) fn place_project(&mut self, project: &Project) {
        for source in &project.sources {
            std::fs::create_dir_all(self.path(&source.folder())).expect("a folder");
        }
        let files = project.files();
        for (name, text) in &files {
            if self.written.get(name) != Some(text) {
                self.write(name, text);
            }
        }
        for gone in self.written.keys().filter(|n| !files.contains_key(*n)) {
            self.remove(gone);
        }
        self.written = files;
    }

    pub(crate) fn apply(&mut self, project: &Project) -> Result<(), Error> {
        self.place_project(project);
        let report = self.instance()?.apply(None)?;
        self.last_apply = report.apply;
        Ok(())
    }

    /// Undoes the last apply; says whether there was anything to undo.
    pub(crate) fn revert_apply(&mut self, project: &Project) -> Result<bool, Error> {
        let Some(last) = self.last_apply.take() else {
            return Ok(false);
        };
        self.instance()?.revert_apply(ApplyId(last))?;
        self.place_project(project);
        Ok(true)
    }

    /// Takes in what the places hold; returns the files that were set aside.
    pub(crate) fn deliver(&mut self) -> Result<Vec<String>, Error> {
        let report = self.instance()?.deliver(&[], &|_| {})?;
        Ok(report.deliveries.into_iter().filter(|d| d.error.is_some()).map(|d| d.file).collect())
    }

    pub(crate) fn run(&mut self, wanted: &Wanted) -> Result<Vec<RunReport>, Error> {
        let request = RunRequest {
            targets: wanted.targets.iter().map(target).collect(),
            force: wanted.force,
            without_deliveries: false,
        };
        let (_, runs) = self.instance()?.run(&request, &CancelToken::new(), &|_| {})?;
        Ok(runs.runs)
    }

    /// Runs everything, and stops it at its n-th sign of progress.
    pub(crate) fn run_until(&mut self, n: usize) -> Result<Vec<RunReport>, Error> {
        let cancel = CancelToken::new();
        let seen = AtomicUsize::new(0);
        let watch = |_: Progress| {
            if seen.fetch_add(1, Ordering::SeqCst) + 1 >= n {
                cancel.cancel();
            }
        };
        let (_, runs) = self.instance()?.run(&RunRequest::default(), &cancel, &watch)?;
        Ok(runs.runs)
    }

    /// Returns what a dataset holds, and what its slices' recorded digests and its rows' own digest are if it was read anew.
    pub(crate) fn rows(&mut self, name: &str) -> Result<(Rows, Option<Digests>), Error> {
        let dataset: DatasetName = name.parse().expect("a name");
        let instance = self.instance()?;
        let version = match instance.dataset(&dataset) {
            Ok(d) => d.version,
            // Nothing was ever taken in.
            Err(_) => 0,
        };
        if let Some((_, rows)) = self.read.get(name).filter(|(v, _)| *v == version && version > 0) {
            return Ok((rows.clone(), None));
        }
        let instance = self.instance()?;
        let sql = format!("SELECT * FROM {name}");
        let found = instance.query(&sql, QueryOptions::default(), &CancelToken::new())?;
        let digests = Digests {
            recorded: instance
                .slices(&dataset, &Selection::All)?
                .slices
                .iter()
                .filter_map(|s| s.digest.as_ref()?.parse::<MultisetHash>().ok())
                .collect(),
            own: mainstay_catalog::digest::of_batches(&found.schema, &found.batches).expect("a digest").0,
        };
        let mut rows: Rows = found.batches.iter().flat_map(texts).collect();
        rows.sort_by(|a, b| crate::compare::order(a, b));
        self.read.insert(name.to_owned(), (version, rows.clone()));
        Ok((rows, Some(digests)))
    }
}

/// Two digests of one dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) recorded: MultisetHash,
    pub(crate) own: MultisetHash,
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

/// Writes the rows of a batch as the oracle writes them.
fn texts(batch: &RecordBatch) -> Rows {
    let columns: Vec<Vec<Option<String>>> = batch.columns().iter().map(|c| column(c.as_ref())).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|c| c[row].clone()).collect()).collect()
}

fn column(array: &dyn Array) -> Vec<Option<String>> {
    let as_type = |t: &DataType| arrow::compute::cast(array, t).expect("a cast");
    let each = |text: &dyn Fn(usize) -> String| {
        (0..array.len()).map(|i| (!array.is_null(i)).then(|| text(i))).collect()
    };
    match array.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let values = as_type(&DataType::Int64);
            each(&|i| values.as_primitive::<Int64Type>().value(i).to_string())
        }
        DataType::Date32 => {
            let values = as_type(&DataType::Utf8);
            debug_assert_eq!(array.as_primitive::<Date32Type>().len(), values.len());
            each(&|i| values.as_string::<i32>().value(i).to_owned())
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            each(&|i| format!("{:016x}", (values.value(i) + 0.0).to_bits()))
        }
        DataType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>();
            each(&|i| decimal(values.value(i), u32::try_from(*scale).unwrap_or(0)))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let values = as_type(&DataType::Utf8);
            each(&|i| format!("'{}", values.as_string::<i32>().value(i)))
        }
        other => each(&|_| format!("a value of type {other}")),
    }
}

fn decimal(value: i128, scale: u32) -> String {
    let unit = 10i128.pow(scale);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (value.unsigned_abs() / unit.unsigned_abs(), value.unsigned_abs() % unit.unsigned_abs());
    let text = format!("{sign}{whole}.{part:0width$}", width = scale as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
