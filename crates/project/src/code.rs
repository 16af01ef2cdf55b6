//! The codes of mistakes: what each means and what it looks like.
//!
//! Data for people and for the documentation that is made from it. A code keeps its meaning for ever; what is no longer said
//! leaves a gap.

/// A kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code, as mistakes carry it.
    pub code: &'static str,
    /// What it means, in a few words.
    pub title: &'static str,
    /// What it means and what to do, in a few sentences of Markdown.
    pub explanation: &'static str,
    /// The paths and texts of files with this mistake and no other.
    pub example: &'static [(&'static str, &'static str)],
}

/// Files of a project: whole ones by their paths, or what follows the beginning that most examples share.
macro_rules! file {
    (main $more:literal) => {
        ("mainstay.toml", concat!("[project]\nname = \"flights\"\n", $more))
    };
    (source $more:literal) => {
        (
            "mainstay.toml",
            concat!(
                "[project]\nname = \"flights\"\n\n[source.\"air.flights\"]\nfiles = \"data/*.csv\"\n",
                $more
            ),
        )
    };
    (daily $text:literal) => {
        ("jobs/air/daily.sql", $text)
    };
    ($path:literal $text:literal) => {
        ($path, $text)
    };
}

macro_rules! codes {
    ($($name:ident $code:literal $title:literal, $explanation:literal, $($kind:tt $text:literal),+;)+) => {
        $(pub(crate) const $name: &str = $code;)+

        /// All codes of project files, in order.
        pub const CODES: &[Code] = &[
            $(Code { code: $code, title: $title, explanation: $explanation, example: &[$(file!($kind $text)),+] }),+
        ];
    };
}

codes! {
    SYNTAX "MS0101" "This is not TOML",
        "The file, or the settings in a query's comments, cannot be read as TOML. Texts stand in quotation \
         marks, lists in square brackets, and each `key = value` on a line of its own (inline tables and \
         lists may span lines).",
        "mainstay.toml" "[project]\nname = flights\n";
    DUPLICATE_KEY "MS0102" "A key is written twice",
        "The same key, or the same table, stands in one file twice. TOML does not say which one counts, so \
         neither do we.",
        main "name = \"trains\"\n";
    UNKNOWN_FIELD "MS0103" "Unknown field",
        "A field that this kind of resource does not have: a slip, or a field of another kind. Nothing that \
         is written is ever passed over in silence.",
        main "paralel = 4\n";
    WRONG_TYPE "MS0104" "A value of a wrong type",
        "The field is there, but not for such a value: a number where a text must be, a text where a list \
         must be.",
        main "parallel = \"four\"\n";
    MISSING_FIELD "MS0105" "A field is missing",
        "A resource of this kind cannot be without this field.",
        main "\n[source.\"air.flights\"]\nformat = \"parquet\"\n";
    BAD_DATASET "MS0106" "Not the name of a dataset",
        "Datasets are named `schema.dataset`, in lower-case letters, digits and underscores. In the head of a \
         table the name stands in quotation marks, because of its point: `[source.\"air.flights\"]`.",
        main "\n[source.\"Air.Flights\"]\nfiles = \"data/*.csv\"\n";
    BAD_PATH "MS0107" "A job's path names no dataset",
        "A job's file computes the dataset that its path below `jobs/` names: `jobs/air/daily_delays.sql` \
         computes `air.daily_delays`. Another dataset is named in the settings, with `job = \
         \"air.daily_delays\"`.",
        main "",
        "jobs/daily.sql" "SELECT 1 AS x\n";
    CHOICE "MS0108" "Not one of the choices",
        "The field takes one of a few words.",
        source "on_schema_change = \"refuze\"\n";
    BAD_DURATION "MS0109" "Not a duration",
        "A duration is a number and a unit: `ms`, `s`, `min`, `h`, `day` or `days`.",
        main "",
        daily "-- /// mainstay\n-- time_limit = \"10 minutes\"\n-- ///\nSELECT 1 AS x\n";
    BAD_SIZE "MS0110" "Not a size",
        "A size is a number of bytes, or a number and a unit: `B`, `kB`, `MB`, `GB`, `TB` (thousands) or \
         `KiB`, `MiB`, `GiB`, `TiB` (1024s).",
        main "memory = \"2 gib\"\n";
    OUT_OF_RANGE "MS0111" "A number out of range",
        "The number is below the least or above the greatest that this field takes.",
        main "parallel = 0\n";
    TWO_OWNERS "MS0112" "Two resources for one dataset",
        "A dataset is filled by one source or computed by one job, so that it is always clear where its rows \
         come from.",
        main "\n[source.\"air.daily\"]\nfiles = \"data/*.csv\"\n",
        daily "SELECT 1 AS x\n";
    NO_DATASET "MS0113" "No such dataset",
        "A check is of, or refers to, a dataset that no source and no job of the project declares.",
        source "\n[check.some_rows]\ndataset = \"air.fligths\"\nrow_count = { min = 1 }\n";
    TWICE "MS0114" "A column is named twice",
        "In one list of columns each column stands once. Names that differ in capital letters only count as \
         the same.",
        source "slice = [\"day\", \"origin\", \"day\"]\n";
    NEVER_CLOSED "MS0115" "Settings are never closed",
        "Settings in a query's comments begin with a line `-- /// mainstay` and end with a line `-- ///`. \
         Every line between is a comment.",
        main "",
        daily "-- /// mainstay\n-- slice = \"day\"\nSELECT 1 AS day\n";
    EMPTY_QUERY "MS0116" "An empty query",
        "Where a query or an expression must be, there is nothing, or nothing but comments.",
        main "",
        daily "-- a query will be here\n";
    TWO_PROJECTS "MS0117" "More than one project",
        "All files of a folder and the folders below it are one project, which is declared once.",
        main "",
        "air/more.toml" "[project]\nname = \"air\"\n";
    NO_PROJECT "MS0118" "No project",
        "A project has a name, which `mainstay.toml` says: `[project]` and `name = \"…\"`.",
        "mainstay.toml" "[source.\"air.flights\"]\nfiles = \"data/*.csv\"\n";
    BAD_TYPE "MS0119" "Not a type of columns",
        "Columns have the types of Delta tables, written as in their schemas: `long`, `decimal(12,2)`, \
         `array<string>`, `struct<a: long, b: string>`.",
        source "columns = { day = \"date\", flights = \"lnog\" }\n";
    NO_FORMAT "MS0120" "The format of the files cannot be told",
        "A source takes the format of its files from the endings of their names; where these do not say it, \
         `format` does.",
        main "\n[source.\"air.flights\"]\nfiles = \"data/flights/*\"\n";
    EMPTY "MS0121" "Nothing is named",
        "A list, a table or a text is empty where at least one thing has to be named.",
        source "checks.not_null = []\n";
    TWO_CHECKS "MS0122" "Two checks of one name",
        "The checks of a dataset have different names, so that a failed one can be told from the others.",
        source "checks.not_null = [\"day\"]\n\n[check.not_null]\ndataset = \"air.flights\"\nnot_null = [\"origin\"]\n";
    ONE_RULE "MS0123" "A check without a rule, or with several",
        "A check has one rule: `not_null`, `unique`, `accepted`, `range`, `row_count`, `reference` or `sql`.",
        source "checks.plausible = { severity = \"warn\" }\n";
    BAD_NAME "MS0124" "Not a name",
        "Projects, accounts and checks have names of lower-case letters, digits and underscores, projects \
         also dashes.",
        "mainstay.toml" "[project]\nname = \"My flights\"\n";
    CSV_ONLY "MS0125" "A field for CSV files only",
        "`null` and `delimiter` say how CSV files are written; Parquet and NDJSON say it themselves.",
        main "\n[source.\"air.flights\"]\nfiles = \"data/*.parquet\"\nnull = [\"NA\"]\n";
    CROSSED "MS0126" "Bounds that nothing can meet",
        "The least value of a range is above its greatest.",
        source "checks.row_count = { min = 100, max = 10 }\n";
    BAD_REFERENCE "MS0127" "Not a column of a dataset",
        "A reference names a dataset and its column: `air.airlines.carrier`.",
        source "checks.reference = { carrier = \"airlines\" }\n";
    MISPLACED "MS0128" "Settings in a wrong place",
        "Settings stand once, in comments before the query, between `-- /// mainstay` and `-- ///`. Elsewhere \
         they would be taken for plain comments.",
        main "",
        daily "SELECT 1 AS day\n-- /// mainstay\n-- slice = \"day\"\n-- ///\n";
    BAD_LITERAL "MS0129" "A value that no column can hold",
        "Values are compared with numbers, texts, dates, moments, true and false; not with times without a \
         day, or with numbers that are infinite or too large.",
        source "checks.range = { delay = { max = inf } }\n";
    SLICE_UNDECLARED "MS0130" "A slice column that is not declared",
        "A source that declares its columns has its slice columns among them, or says by which expression \
         they are made.",
        source "columns = { day = \"date\" }\nslice = \"dya\"\n";
    ONE_CAUSE "MS0131" "A trigger without a cause, or with several",
        "A trigger is set off by clock times (`cron`), by new content of datasets (`after`), by any fact that is like a pattern \
         (`on`), or by a message through a hook (`webhook`): by one of them. What has several causes is several triggers.",
        source "\n[trigger.nightly]\nrun = [\"air.flights\"]\n";
    CLOCK_ONLY "MS0132" "A field for clock times only",
        "`time_zone`, `skip` and `catch_up` say how clock times are meant; what happens has no time zone, and nothing that \
         happens is missed.",
        source "\n[trigger.follow]\nafter = [\"air.flights\"]\nrun = [\"air.flights\"]\ntime_zone = \"UTC\"\n";
    BAD_CLOCK "MS0133" "Not a time of the clock",
        "A cron expression has five fields: minute, hour, day of the month, month and day of the week, in the time zone that \
         `time_zone` names (UTC if it is left out), without the days of `skip`.",
        source "\n[trigger.nightly]\ncron = \"61 6 * * *\"\nrun = [\"air.flights\"]\n";
    BAD_PATTERN "MS0134" "Not a pattern",
        "A pattern has the shape of the fact that it matches, with a list for each field of which one entry has to fit: \
         `on = { kind = [\"run.finished\"], body = { outcome = [\"failed\"] } }`. The language is that of Amazon EventBridge.",
        source "\n[trigger.alarm]\non = { kind = \"run.finished\" }\nrun = [\"air.flights\"]\n";
    TWO_TRIGGERS "MS0135" "Two triggers of one name",
        "The triggers of a project have different names, so that one can be told from the others.",
        source "\n[trigger.daily]\ncron = \"0 6 * * *\"\nrun = [\"air.flights\"]\n",
        "more/mainstay.toml" "[trigger.daily]\ncron = \"0 7 * * *\"\nrun = [\"air.flights\"]\n";
    NOT_UTF8 "MS0136" "Not UTF-8",
        "Project files are UTF-8. Bytes of another encoding would become other texts in silence, so the file is not read; the \
         character U+FFFD, which stands for such bytes, is not taken either.",
        main "",
        daily "SELECT 'Z\u{fffd}rich' AS city\n";
    NOT_A_SECRETS_PLACE "MS0137" "Not the place of a secret",
        "A project file says where a secret is, never what it is: `env:PARTNER_SECRET` is a variable of the server's environment, \
         `file:partner` the file `secrets/main/partner` in the home (`main` is the account), which only its owner may read. A secret \
         that stood in a file should be replaced by another one.",
        main "\n[hook.partner]\nsecret = \"whsec_c2VjcmV0\"\n";
    NO_HOOK "MS0138" "No such hook",
        "A trigger is to be set off by messages through a hook that no file of the project declares.",
        source "\n[hook.partner]\nsecret = \"file:partner\"\n\n[trigger.follow]\nwebhook = \"partnr\"\nrun = [\"air.flights\"]\n";
    BAD_URL "MS0139" "Not a URL for messages",
        "Messages are sent by HTTP: a channel's URL begins with `https://`, or with `http://` where nobody else is on the way.",
        main "\n[channel.ops]\nurl = \"ops.example.org\"\nsecret = \"file:ops\"\n";
    NO_CHANNEL "MS0140" "No such channel",
        "A trigger is to tell a channel that no file of the project declares, or one that is told lineage instead of messages.",
        source "\n[channel.ops]\nurl = \"https://example.org\"\nsecret = \"file:ops\"\n\n[trigger.alarm]\nafter = [\"air.flights\"]\nnotify = [\"opps\"]\n";
    ONE_WATCHED "MS0141" "An alarm that watches nothing, or several things",
        "An alarm watches facts that are like a pattern (`on`), the age of a dataset (`older`), processor time (`cpu`), or a metric \
         (`metric`): one of them, with the fields that go with it. What watches several things is several alarms.",
        main "\n[alarm.late]\ndescription = \"Too old\"\n";
    NO_LIMIT "MS0142" "No such limit",
        "A job takes of a limit that no file of the project declares.",
        main "\n[limit.warehouse]\nat_most = 3\n",
        daily "-- /// mainstay\n-- uses = [\"warehuose\"]\n-- ///\nSELECT 1 AS one\n";
    MORE_THAN_THERE_IS "MS0143" "More than there is",
        "A job takes more of a limit than there is, so that it could never run.",
        main "\n[limit.warehouse]\nat_most = 3\n",
        daily "-- /// mainstay\n-- uses = { warehouse = 4 }\n-- ///\nSELECT 1 AS one\n";
}
