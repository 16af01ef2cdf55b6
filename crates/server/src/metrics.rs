//! What can be counted of a home, for those who watch over it: families of samples, as Prometheus has them.
//!
//! What concerns the home as a whole is shown in its own account only. Counters grow for as long as the journal does, also over
//! starts of the process; where a counter is the process's own, its help says so.

use std::time::Duration;

use mainstay_api::BackupReport;
use mainstay_control::{Dataset, RunStatus, Sight, promises as promised};

use crate::instance::Instance;

/// The upper ends of a histogram's buckets, in seconds.
const BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    /// Takes one in.
    pub fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
    }
}

/// How the values of a family behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They only grow.
    Counter,
    /// They go up and down.
    Gauge,
    /// Counts of what was at most so large.
    Histogram,
}

impl Kind {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A value with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What follows the family's name.
    pub suffix: &'static str,
    /// The labels, in their order.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// Values of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name.
    pub name: &'static str,
    /// How they behave.
    pub kind: Kind,
    /// What they are, in a sentence.
    pub help: &'static str,
    /// The values.
    pub samples: Vec<Sample>,
}

impl Family {
    /// Makes one without values.
    pub const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            kind,
            help,
            samples: Vec::new(),
        }
    }

    /// Adds a value.
    pub fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        self.push("", labels, value);
    }

    /// Adds the values of a histogram.
    pub fn add_histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        for (bucket, bound) in histogram.buckets.iter().zip(BOUNDS) {
            let bound = bound.to_string();
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.push("_bucket", &labels, *bucket as f64);
        }
        let all: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.push("_bucket", &all, histogram.count as f64);
        self.push("_sum", labels, histogram.sum);
        self.push("_count", labels, histogram.count as f64);
    }

    fn push(&mut self, suffix: &'static str, labels: &[(&str, &str)], value: f64) {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        self.samples.push(Sample {
            suffix,
            labels: labels.collect(),
            value,
        });
    }
}

impl Instance {
    /// Says whether changes can be recorded.
    pub fn can_write(&self) -> bool {
        self.ledger().journal().can_write()
    }

    /// Returns what is counted of the account, and in the home's own account of the home.
    pub fn metrics(&self) -> Vec<Family> {
        let mut families = self.with(of_account);
        if !self.is_guest() {
            families.extend(self.of_home());
            families.extend(of_process());
        }
        families
    }

    fn of_home(&self) -> Vec<Family> {
        let mut info = gauge("mainstay_info", "1, with the version as a label.");
        info.add(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        let mut facts = counter("mainstay_journal_facts_total", "Facts in the journal.");
        let mut frames = counter(
            "mainstay_journal_frames_total",
            "Frames in the journal: appends, each one transaction.",
        );
        let mut appends = Family::new(
            "mainstay_journal_append_seconds",
            Kind::Histogram,
            "How long appends took until they were durable, of this process.",
        );
        let mut rests = gauge(
            "mainstay_home_rests",
            "1 if it is a copy that was not told to act yet.",
        );
        rests.add(&[], f64::from(u8::from(self.rests())));
        {
            let ledger = self.ledger();
            let head = ledger.journal().head();
            facts.add(&[], head.last_seq as f64);
            frames.add(&[], head.frame as f64);
            appends.add_histogram(&[], ledger.appends());
        }
        let mut backup = gauge(
            "mainstay_last_backup_timestamp_seconds",
            "When the home was last copied; nothing if it never was.",
        );
        let last = std::fs::read(self.options.home.join(crate::backup::LAST)).ok();
        let last = last.and_then(|bytes| serde_json::from_slice::<BackupReport>(&bytes).ok());
        if let Some(last) = last {
            backup.add(&[], last.time.as_micros() as f64 / 1e6);
        }
        let mut families = vec![info, facts, frames, appends, rests, backup];
        families.extend(self.standing.families());
        families
    }
}

fn counter(name: &'static str, help: &'static str) -> Family {
    Family::new(name, Kind::Counter, help)
}

fn gauge(name: &'static str, help: &'static str) -> Family {
    Family::new(name, Kind::Gauge, help)
}

fn of_account(sight: &Sight<'_>) -> Vec<Family> {
    let (state, totals) = (sight.state, &sight.state.totals);
    let mut runs = counter("mainstay_runs_total", "Runs that ended, by outcome.");
    for outcome in ["succeeded", "failed", "cancelled", "skipped"] {
        let n = totals.runs.get(outcome).copied().unwrap_or_default();
        runs.add(&[("outcome", outcome)], n as f64);
    }
    let mut retries = counter(
        "mainstay_run_retries_total",
        "Attempts that failed and were tried again.",
    );
    retries.add(&[], totals.retries as f64);
    let mut cpu = counter(
        "mainstay_run_cpu_seconds_total",
        "Processor seconds of all attempts.",
    );
    cpu.add(&[], totals.cpu_us as f64 / 1e6);
    let mut wall = counter("mainstay_run_seconds_total", "Elapsed seconds of all attempts.");
    wall.add(&[], totals.wall_us as f64 / 1e6);
    let mut queue = gauge("mainstay_runs", "Runs that are not ended, by state.");
    let open = |wanted: fn(&RunStatus) -> bool| {
        let runs = state.runs.open().filter(|(_, r)| wanted(&r.status));
        runs.count() as f64
    };
    queue.add(&[("state", "running")], open(|s| *s == RunStatus::Running));
    queue.add(
        &[("state", "waiting")],
        open(|s| matches!(s, RunStatus::Waiting { .. })),
    );
    let mut firings = gauge(
        "mainstay_firings_waiting",
        "What triggers want and is not done yet.",
    );
    firings.add(&[], state.triggers.open().count() as f64);
    let mut promises = gauge(
        "mainstay_promises",
        "Promises that are not kept, or will not be if things go on as they do, by state.",
    );
    let alarms = |missed: bool| {
        let declared = promised(state);
        let alarms = declared.filter_map(|p| state.promises.get(&p.dataset)?.alarm.as_ref());
        alarms.filter(|a| a.missed == missed).count() as f64
    };
    promises.add(&[("state", "at_risk")], alarms(false));
    promises.add(&[("state", "missed")], alarms(true));
    let mut messages = gauge("mainstay_messages_waiting", "Messages that are to be sent.");
    let waiting = state.messages.all.values().filter(|m| m.next.is_some());
    messages.add(&[], waiting.count() as f64);
    let mut deliveries = counter("mainstay_deliveries_total", "Delivered files, by outcome.");
    for outcome in ["taken", "duplicate", "set_aside", "held"] {
        let n = totals.deliveries.get(outcome).copied().unwrap_or_default();
        deliveries.add(&[("outcome", outcome)], n as f64);
    }
    let mut published = counter(
        "mainstay_slices_published_total",
        "Slices that got a new content on the live side.",
    );
    published.add(&[], totals.slices as f64);
    let mut success = gauge(
        "mainstay_last_success_timestamp_seconds",
        "When a run of the dataset last succeeded, or a file of it was last taken in.",
    );
    for (dataset, time) in &totals.successes {
        success.add(
            &[("dataset", &dataset.to_string())],
            time.as_micros() as f64 / 1e6,
        );
    }
    let mut families = vec![
        runs, retries, cpu, wall, queue, firings, promises, messages, deliveries, published, success,
    ];
    families.extend(of_datasets(sight));
    families
}

fn of_datasets(sight: &Sight<'_>) -> Vec<Family> {
    let mut version = gauge("mainstay_dataset_version", "The dataset's newest version.");
    let mut slices = gauge("mainstay_dataset_slices", "Slices that the dataset has now.");
    let mut rows = gauge("mainstay_dataset_rows", "Rows that the dataset has now.");
    let mut bytes = gauge(
        "mainstay_dataset_bytes",
        "Bytes of the files that the dataset has now.",
    );
    let behind = |d: &Dataset| {
        d.version()
            .saturating_sub(d.projected.map_or(0, |(shown, _)| shown))
    };
    let mut lag = gauge(
        "mainstay_delta_versions_behind",
        "Versions of the dataset that its Delta log does not show yet.",
    );
    for (name, dataset) in &sight.state.main.datasets {
        let name = name.to_string();
        let label = [("dataset", name.as_str())];
        let (mut files, mut count, mut size) = (0_u64, 0_u64, 0_u64);
        for (_, content) in dataset.newest() {
            files += 1;
            count += content.rows().0;
            size += content.bytes().0;
        }
        version.add(&label, dataset.version() as f64);
        slices.add(&label, files as f64);
        rows.add(&label, count as f64);
        bytes.add(&label, size as f64);
        lag.add(&label, behind(dataset) as f64);
    }
    vec![version, slices, rows, bytes, lag]
}

/// What every process tells Prometheus, by the names that are usual.
fn of_process() -> Vec<Family> {
    let mut cpu = counter("process_cpu_seconds_total", "Processor seconds of this process.");
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    cpu.add(&[], used.tv_sec as f64 + used.tv_nsec as f64 / 1e9);
    let mut memory = gauge("process_resident_memory_bytes", "Memory of this process.");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    if let Some(kilobytes) = resident {
        memory.add(&[], (kilobytes * 1024) as f64);
    }
    let mut open = gauge(
        "process_open_fds",
        "Files and sockets that this process has open.",
    );
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        open.add(&[], entries.count() as f64);
    }
    vec![cpu, memory, open]
}
