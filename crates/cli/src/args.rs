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
    /// The home's journal in PostgreSQL: postgres://USER@HOST/DATABASE, with a password in PGPASSWORD
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MAINSTAY_JOURNAL",
        hide_env_values = true
    )]
    pub(crate) journal: Option<String>,
    /// A server in place of a home: https://HOST:PORT, with a token in MAINSTAY_TOKEN; several, with commas, where one stands by
    /// for the other
    #[arg(long, global = true, value_name = "URL", env = "MAINSTAY_SERVER")]
    pub(crate) server: Option<String>,
    /// As part of which account
    #[arg(long, global = true, value_name = "NAME", env = "MAINSTAY_ACCOUNT")]
    pub(crate) account: Option<String>,
    /// In which branch; the live side if left out
    #[arg(long, global = true, value_name = "NAME", env = "MAINSTAY_BRANCH")]
    pub(crate) branch: Option<String>,
    /// Why; recorded with every change
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Wait for another process that writes to the same home, 60 seconds or so many at most
    #[arg(long, global = true, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "60")]
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
        /// How urgent it is beside other runs of the account
        #[arg(long, default_value = "interactive", value_parser = ["interactive", "scheduled", "backfill"])]
        class: String,
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
    /// List things: dataset, source, job, check, project, delivery, run, plan, apply, amendment, branch, trigger,
    /// promise, hook, channel, limit, alarm, message, dead-letter
    List {
        /// Which kind
        kind: String,
    },
    /// Show one thing
    #[command(
        after_help = "Examples:\n  mainstay show air.daily_delays\n  mainstay show run/R-12\n  mainstay show plan/P-9\n  mainstay show amendment/A-7"
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
    /// Correct published data, everywhere at once
    #[command(
        after_help = "Examples:\n  mainstay amend air.flights@2013-01-09 --where \"dep_delay > 1300\" --set \"dep_delay = NULL\" --dry-run\n  mainstay amend air.flights --where \"carrier = 'XX'\" --delete --reason \"test flights\"\n  mainstay amend air.weather@2013-12-31 --insert late.csv --reason \"station was offline\""
    )]
    Amend(AmendArgs),
    /// Undo an amendment or an apply, as a new change
    #[command(
        after_help = "Examples:\n  mainstay revert amendment/A-7 --reason \"the value was right\"\n  mainstay revert apply/41 --reason \"wrong join\""
    )]
    Revert {
        /// The amendment or the apply
        thing: String,
        /// Only show what it would do
        #[arg(long)]
        dry_run: bool,
    },
    /// Release what waits for a second person, or for a yes
    Approve {
        /// The amendment, or a delivery that is held back
        thing: String,
    },
    /// Try again what failed: an amendment, a run, or all that `list dead-letters` shows
    #[command(after_help = "Examples:\n  mainstay retry A-7\n  mainstay retry R-12\n  mainstay retry --all")]
    Retry {
        /// The amendment or the run
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        thing: Option<String>,
        /// All jobs whose last run failed for good
        #[arg(long)]
        all: bool,
    },
    /// Give an amendment up that does not hold, or a delivery that is held back
    Drop {
        /// The amendment, or the delivery
        thing: String,
    },
    /// Show why something is as it is: what set it off, and what differed from the last good run
    #[command(
        after_help = "Examples:\n  mainstay why R-12\n  mainstay why air.daily_delays@2013-01-09\n  mainstay why amendment/A-7\n  mainstay why air.daily_delays@2013-01-09 --where \"carrier = 'EV'\"   # the input rows behind these rows\n  mainstay why R-12 --prove   # replays aside with differences undone, until it has the smallest cause"
    )]
    Why(WhyArgs),
    /// Compute recorded runs again, aside, and compare
    #[command(after_help = "Examples:\n  mainstay replay R-12\n  mainstay replay --all --threads 1")]
    Replay {
        /// The runs
        runs: Vec<String>,
        /// All runs that succeeded
        #[arg(long, conflicts_with = "runs")]
        all: bool,
        /// With so many threads; results do not depend on it
        #[arg(long, value_name = "N")]
        threads: Option<usize>,
    },
    /// Free what no kept version needs
    #[command(after_help = "Examples:\n  mainstay vacuum --dry-run\n  mainstay vacuum --yes")]
    Vacuum {
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the rows in which two versions of a dataset differ
    #[command(after_help = "Example:\n  mainstay diff air.daily_delays --from 1 --to 2 --key day,carrier")]
    Diff(DiffArgs),
    /// Work beside the live side, and take it over when it is right
    #[command(
        after_help = "Examples:\n  mainstay branch create fix\n  mainstay apply --branch fix && mainstay run --branch fix\n  mainstay branch diff fix\n  mainstay branch promote fix"
    )]
    Branch {
        #[command(subcommand)]
        action: BranchAction,
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
    /// Serve the home to many: over a socket in it, and over the network
    #[command(
        after_help = "Examples:\n  mainstay serve\n  mainstay serve --listen 127.0.0.1:7433   # plain, as it does not leave this machine\n  mainstay serve --listen 0.0.0.0:7433     # with TLS, by an authority of its own: mainstay trust\n  mainstay serve --standby --listen 0.0.0.0:7433 --journal postgres://db.example/prod   # on two machines"
    )]
    Serve(ServeArgs),
    /// Copy the home to a folder or bucket, while it is in use; what is there already is not copied again
    #[command(
        after_help = "Examples:\n  mainstay backup /mnt/backup/shop\n  mainstay backup s3://backups/shop"
    )]
    Backup {
        /// A folder or s3://bucket/prefix, of this home alone
        target: String,
    },
    /// Make a home from a backup, as it was at a moment; the copy rests until it is told to act
    #[command(
        after_help = "Examples:\n  mainstay restore s3://backups/shop --home restored\n  mainstay restore /mnt/backup/shop --home restored --as-of 2026-11-01T00:00:00Z"
    )]
    Restore {
        /// The folder or bucket with the backup
        source: String,
        /// As everything was at a time, for example 2026-11-01T00:00:00Z, or after a fact, by its number
        #[arg(long, value_name = "TIME|SEQ")]
        as_of: Option<String>,
        /// Where the tables are to be: a folder or s3://bucket/prefix; in the home if left out
        #[arg(long, value_name = "PLACE")]
        store: Option<String>,
    },
    /// Look at everything that the home rests on, and say what is wrong, why, and what to do
    #[command(
        after_help = "Examples:\n  mainstay doctor\n  mainstay doctor --json | jq '.findings[] | select(.condition != \"ok\")'"
    )]
    Doctor,
    /// Let a home that was restored act again: its triggers fire from now on
    Resume,
    /// Print the certificate of the home's authority, for those who are to trust it
    #[command(after_help = "Example:\n  mainstay trust > mainstay-ca.pem")]
    Trust,
    /// Say who may use the service
    #[command(
        after_help = "Examples:\n  mainstay token create ci --role operator\n  mainstay token create ana@example.org --role reader --expires 2027-01-01T00:00:00Z\n  mainstay token revoke T-3"
    )]
    Token {
        #[command(subcommand)]
        action: TokenAction,
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
pub(crate) struct AmendArgs {
    /// The dataset, with slices if not all: air.flights@2013-01-09
    pub(crate) address: String,
    /// Which rows: an SQL condition over the dataset's columns
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,
    /// Give a column another value: an SQL expression over the row as it is
    #[arg(long, value_name = "COLUMN = EXPRESSION")]
    pub(crate) set: Vec<String>,
    /// Take the rows away
    #[arg(long)]
    pub(crate) delete: bool,
    /// Add the rows of a file (Parquet, CSV, NDJSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) insert: Option<PathBuf>,
    /// Take the rows away and add those of a file
    #[arg(long, value_name = "FILE")]
    pub(crate) replace: Option<PathBuf>,
    /// Only show what it would do
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// A run, a dataset, a slice, an amendment, a delivery or an apply
    pub(crate) thing: String,
    /// Which rows of the dataset: an SQL condition; shows the input rows behind them
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,
    /// Replay with differences undone until the smallest cause is found; with --where, the cause of these rows
    #[arg(long)]
    pub(crate) prove: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The dataset
    pub(crate) dataset: String,
    /// The earlier version
    #[arg(long, value_name = "N")]
    pub(crate) from: u64,
    /// The later version; the newest if left out
    #[arg(long, value_name = "N")]
    pub(crate) to: Option<u64>,
    /// The columns that tell rows apart: a row with the same key and other values has changed
    #[arg(long, value_name = "COLUMN,…")]
    pub(crate) key: Vec<String>,
    /// Show at most so many rows
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(crate) limit: usize,
    /// Write all of them to a file, one JSON object a line
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where another server writes the same journal in PostgreSQL, follow it, and take over when it is gone
    #[arg(long)]
    pub(crate) standby: bool,
    /// Where to listen besides the home's socket; beyond this machine with TLS
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// A certificate chain (PEM) in place of one by the home's own authority
    #[arg(long, value_name = "FILE", requires = "key", requires = "listen")]
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Make a token; it is shown once
    Create {
        /// As whom its bearer acts
        name: String,
        /// What its bearer may do: owner, operator or reader
        #[arg(long)]
        role: String,
        /// From when on it is worth nothing, for example 2027-01-01T00:00:00Z; never if left out
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// List the account's tokens, without their secrets
    List,
    /// Take a token back, at once
    Revoke {
        /// The token
        token: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BranchAction {
    /// Make a branch that begins as the live side is now
    Create {
        /// Its name
        name: String,
    },
    /// Show in what a branch differs
    Diff {
        /// Its name
        name: String,
    },
    /// Begin a branch anew as the live side is now; what it declares stays
    Rebase {
        /// Its name
        name: String,
    },
    /// Make a branch the live side, in one step
    Promote {
        /// Its name
        name: String,
    },
    /// Give a branch up
    Drop {
        /// Its name
        name: String,
    },
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
    /// The description of the API (OpenAPI 3.1)
    Openapi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
    Parquet,
}
