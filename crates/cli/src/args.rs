//! The command line's words: commands and options, with their help. What they are called is fixed; scripts rely on it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The production layer for data jobs: files in, checked and published tables out, and an answer to every why.
#[derive(Debug, Parser)]
#[command(
    name = "mainstay",
    version,
    propagate_version = false,
    max_term_width = 100,
    disable_help_subcommand = false
)]
#[command(
    after_help = "New here? `mainstay demo` plays a year of New York's flights, explained, in about 20 seconds."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command has.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Global {
    /// The project's folder; else the nearest one upwards with mainstay.toml
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// The embedded home: journal and data; else .mainstay in the project
    #[arg(long, global = true, value_name = "DIR", env = "MAINSTAY_HOME")]
    pub(crate) home: Option<PathBuf>,
    /// As part of which account
    #[arg(long, global = true, value_name = "NAME", env = "MAINSTAY_ACCOUNT")]
    pub(crate) account: Option<String>,
    /// In which branch; the live side if left out
    #[arg(long, global = true, value_name = "NAME", env = "MAINSTAY_BRANCH")]
    pub(crate) branch: Option<String>,
    /// Why; recorded with every change
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Wait for another process that writes to the same home, at most so many seconds
    #[arg(long, global = true, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
    pub(crate) wait: Option<u64>,
    /// Ask nothing
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// One JSON document on standard output, errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress, no hints
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// More detail
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play a year of flights through eight jobs, explained
    #[command(after_help = "Examples:\n  mainstay demo\n  mainstay demo /tmp/flights")]
    Demo {
        /// Where; made if it is not there
        #[arg(default_value = "mainstay-demo")]
        dir: PathBuf,
    },
    /// Make a small project that works
    #[command(after_help = "Example:\n  mainstay init shop && cd shop && mainstay apply && mainstay run")]
    Init {
        /// Where; made if it is not there
        dir: PathBuf,
    },
    /// Print the JSON Schema of project files
    Schema {
        /// The schema of a job file's settings instead
        #[arg(long)]
        job: bool,
    },
    /// Look for mistakes in the project, and nothing else
    Check,
    /// Show what apply would do, to resources and to data
    #[command(
        after_help = "Examples:\n  mainstay plan\n  mainstay plan --exit-code   # 3 if there are changes\n  mainstay plan --json | jq .changes"
    )]
    Plan {
        /// Exit with 3 if there are changes
        #[arg(long)]
        exit_code: bool,
        /// Show every field and slice
        #[arg(long)]
        full: bool,
    },
    /// Make the resources what the project says, or exactly what a plan says
    #[command(
        after_help = "Examples:\n  mainstay apply --reason \"new carrier table\"\n  mainstay apply plan/P-9"
    )]
    Apply {
        /// The plan that was reviewed; refused if anything moved since
        plan: Option<String>,
    },
    /// Take in what the sources' places hold
    #[command(after_help = "Examples:\n  mainstay deliver\n  mainstay deliver air.flights")]
    Deliver {
        /// Only these sources
        sources: Vec<String>,
    },
    /// Bring datasets up to date, deliveries first
    #[command(
        after_help = "Examples:\n  mainstay run\n  mainstay run air.daily_delays@2013-02\n  mainstay run air.daily_delays --force"
    )]
    Run {
        /// Datasets, with slices if not all; everything if none is named
        addresses: Vec<String>,
        /// Compute them even if they are as they should be
        #[arg(long)]
        force: bool,
    },
    /// Read data and the tables of `system`
    #[command(
        after_help = "Examples:\n  mainstay query \"SELECT carrier, count(*) AS n FROM air.flights GROUP BY carrier\"\n  mainstay query \"SELECT * FROM air.flights\" --as-of 2026-11-01T00:00:00Z --format parquet -o flights.parquet\n  mainstay query \"SELECT * FROM system.runs\""
    )]
    Query {
        /// One query
        sql: String,
        /// As everything was at a time, for example 2026-11-01T00:00:00Z
        #[arg(long, value_name = "TIME", conflicts_with = "version")]
        as_of: Option<String>,
        /// As the one dataset that is read was at a version
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        /// How the rows are written
        #[arg(long, value_name = "FORMAT")]
        format: Option<Format>,
        /// Write to a file
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List things: dataset, source, job, check, project, delivery, run, plan, apply
    List {
        /// Which kind
        kind: String,
    },
    /// Show one thing
    #[command(
        after_help = "Examples:\n  mainstay show air.daily_delays\n  mainstay show run/R-12\n  mainstay show plan/P-9"
    )]
    Show {
        /// An address
        thing: String,
    },
    /// Show what became of a thing
    History {
        /// A dataset or a resource, for example air.flights or check/air.flights:not_null
        thing: String,
    },
    /// List runs, the newest last
    Runs {
        /// Only of this job
        job: Option<String>,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 50)]
        limit: usize,
        /// Go on with what runs do next, one JSON document a line with --json
        #[arg(long)]
        follow: bool,
    },
    /// List the slices of a dataset
    Slices {
        /// A dataset, with slices if not all: air.daily_delays@2013-02
        dataset: String,
    },
    /// Show what happened in a run, step by step
    Logs {
        /// The run
        run: String,
    },
    /// Stop a run
    Cancel {
        /// The run
        run: String,
    },
    /// Show which slices of its inputs a job's slices read
    Deps {
        /// A dataset, with slices if not all
        address: String,
    },
    /// Undo an apply, as a new change
    #[command(after_help = "Example:\n  mainstay revert apply/41 --reason \"wrong join\"")]
    Revert {
        /// The apply
        thing: String,
    },
    /// Show what happened; verify and prove it
    #[command(args_conflicts_with_subcommands = true)]
    #[command(
        after_help = "Examples:\n  mainstay journal --on air.flights\n  mainstay journal verify\n  mainstay journal prove 17 > fact-17.json\n  mainstay journal check fact-17.json --key .mainstay/journal.key.pub"
    )]
    Journal {
        #[command(subcommand)]
        action: Option<JournalAction>,
        #[command(flatten)]
        filter: JournalArgs,
    },
    /// Generate completions or a manual page
    Gen {
        #[command(subcommand)]
        what: Gen,
    },
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    /// About this thing
    #[arg(long, value_name = "THING")]
    pub(crate) on: Option<String>,
    /// By this person or service
    #[arg(long, value_name = "NAME")]
    pub(crate) who: Option<String>,
    /// Of this kind, for example run.finished
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Not before, for example 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// At most so many, the newest
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Go on with what happens next, one JSON document a line with --json
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalAction {
    /// Verify every hash, link and signature
    Verify {
        /// Only what came after this fact
        #[arg(long, value_name = "SEQ")]
        since: Option<u64>,
    },
    /// Print a proof that a fact is in the journal
    Prove {
        /// The fact's number
        seq: u64,
    },
    /// Check a proof with nothing but the proof and the public key
    Check {
        /// The proof
        file: PathBuf,
        /// The public key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Gen {
    /// Completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// The manual page
    Man,
    /// The reference of all commands, as Markdown
    Reference,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
    Parquet,
}
