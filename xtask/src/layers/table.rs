//! The floors of the house: which crate may use which. ARCHITECTURE.md draws the same picture; change both together.

/// One crate and what it may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) floor: u8,
    pub(super) may_use: &'static [&'static str],
}

/// Crates that may use everything and that nothing may use: `sim` holds tests, `xtask` the developers' commands.
pub(super) const ABOVE_ALL: [&str; 2] = ["sim", "xtask"];

/// Holds no code, only the features of heavy dependencies that every build shares; every crate may use it.
pub(super) const FOR_ALL: &str = "unify";

/// Every link of a chain waits for the one below it when it is built.
pub(super) const LONGEST_CHAIN: usize = 7;

const fn row(name: &'static str, floor: u8, may_use: &'static [&'static str]) -> Row {
    Row { name, floor, may_use }
}

pub(super) const TABLE: &[Row] = &[
    row("base", 0, &[]),
    row(FOR_ALL, 0, &[]),
    row("model", 1, &["base"]),
    row("trigger", 1, &["base"]),
    row("api", 2, &["base", "model"]),
    row("planner", 2, &["base", "model"]),
    row("policy", 2, &["base", "model"]),
    row("project", 2, &["base", "model", "trigger"]),
    row("sql", 2, &["base", "model"]),
    row("storage", 2, &["base"]),
    row("catalog", 3, &["base", "model", "storage"]),
    row("journal", 3, &["base", "storage"]),
    row("control", 4, &["base", "model", "planner", "trigger"]),
    row("engine", 4, &["base", "model", "sql", "storage", "catalog"]),
    row("ingest", 4, &["base", "model", "sql", "storage", "catalog"]),
    row(
        "server",
        6,
        &[
            "base", "model", "trigger", "api", "project", "sql", "planner", "storage", "journal", "catalog",
            "control", "engine", "ingest",
        ],
    ),
    row("http", 7, &["base", "model", "api", "policy", "server"]),
    row(
        "cli",
        8,
        &["base", "model", "api", "project", "journal", "server", "http"],
    ),
];
