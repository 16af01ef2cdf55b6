//! mainstay, as a case sees it: what can be asked of it, whatever carries it out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use mainstay_api::{Error, RunReport};
use mainstay_base::MultisetHash;
use tempfile::TempDir;

use crate::binary;
use crate::case::Wanted;
use crate::oracle::Rows;
use crate::world::Project;

/// mainstay with a project of its own.
pub(crate) trait Subject {
    /// Returns the folder of the project.
    fn place(&mut self) -> &mut Place;

    /// Applies the project's files.
    fn apply(&mut self) -> Result<(), Error>;

    /// Undoes the last apply; says whether there was anything to undo.
    fn revert_apply(&mut self) -> Result<bool, Error>;

    /// Takes in what the places hold.
    fn deliver(&mut self) -> Result<(), Error>;

    /// Brings datasets up to date.
    fn run(&mut self, wanted: &Wanted) -> Result<Vec<RunReport>, Error>;

    /// Brings everything up to date, but is stopped at the n-th sign of progress.
    fn run_until(&mut self, n: usize) -> Result<(), Error>;

    /// Corrects data: a command of the binary. Returns what it was recorded as, if it changes anything.
    fn amend(&mut self, arguments: &[String]) -> Result<Option<String>, Error>;

    /// Takes a correction back.
    fn revert_amendment(&mut self, id: &str) -> Result<(), Error>;

    /// Ends the process, well or not; the next request begins another.
    fn end(&mut self, cleanly: bool) -> Result<(), Error>;

    /// Returns what a dataset holds; and if that was read anew, the digest that its slices have and the one that its rows have.
    fn rows(&mut self, name: &str) -> Result<(Rows, Option<Digests>), Error>;
}

/// Two digests of one dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) recorded: MultisetHash,
    pub(crate) own: MultisetHash,
}

/// A project's folder; gone afterwards.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    written: BTreeMap<String, String>,
    /// Grows with every file that is written: no two have one time.
    clock: u64,
}

impl Place {
    /// Makes an empty one; in memory where that can be, so that syncing it costs nothing.
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let at = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        Self {
            folder: tempfile::Builder::new()
                .prefix("law-")
                .tempdir_in(at)
                .expect("a folder"),
            written: BTreeMap::new(),
            clock: 0,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
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

    /// Makes the project's files what they are to be.
    pub(crate) fn put(&mut self, project: &Project) {
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
}

/// Corrects data in a project that no process has open.
pub(crate) fn amend_at(root: &Path, arguments: &[String]) -> Result<Option<String>, Error> {
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.push("--json");
    let report = binary::command(root, &arguments, None).expect("nothing kills it")?;
    Ok(report["amendment"].as_str().map(str::to_owned))
}

/// Takes a correction back in a project that no process has open.
pub(crate) fn revert_at(root: &Path, id: &str) -> Result<(), Error> {
    let arguments = ["revert", id, "--reason", "law", "--yes", "--json"];
    binary::command(root, &arguments, None)
        .expect("nothing kills it")
        .map(drop)
}

/// Writes an error with everything that it says.
pub(crate) fn words(e: &Error) -> String {
    let mistakes = e
        .mistakes
        .iter()
        .map(|m| format!("\n  {}: {} ({})", m.file, m.message, m.code));
    format!(
        "{} {}{}{}",
        e.code,
        e.message,
        e.causes.join(": "),
        mistakes.collect::<String>()
    )
}

/// Returns the rows of batches in the order in which they are compared.
pub(crate) fn sorted(batches: &[RecordBatch]) -> Rows {
    let mut rows: Rows = batches.iter().flat_map(texts).collect();
    rows.sort_by(|a, b| crate::compare::order(a, b));
    rows
}

/// Writes the rows of a batch as the oracle writes them.
fn texts(batch: &RecordBatch) -> Rows {
    let columns: Vec<Vec<Option<String>>> = batch.columns().iter().map(|c| column(c.as_ref())).collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|c| c[row].clone()).collect())
        .collect()
}

fn column(array: &dyn Array) -> Vec<Option<String>> {
    let as_type = |t: &DataType| arrow::compute::cast(array, t).expect("a cast");
    let each = |text: &dyn Fn(usize) -> String| {
        (0..array.len())
            .map(|i| (!array.is_null(i)).then(|| text(i)))
            .collect()
    };
    match array.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let values = as_type(&DataType::Int64);
            each(&|i| values.as_primitive::<Int64Type>().value(i).to_string())
        }
        DataType::Date32 => {
            let values = as_type(&DataType::Utf8);
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
    let (whole, part) = (
        value.unsigned_abs() / unit.unsigned_abs(),
        value.unsigned_abs() % unit.unsigned_abs(),
    );
    let text = format!("{sign}{whole}.{part:0width$}", width = scale as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
