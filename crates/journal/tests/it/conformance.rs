//! The suite that every store must pass.

use mainstay_journal::store::conformance::{CASES, Fixture};

use crate::place::{Folder, Memory};
use crate::postgres::Schema;
use crate::postgres_server::Postgres;

fn run<F: Fixture>(make: impl Fn() -> F) {
    for (name, case) in CASES {
        case(&make()).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn sqlite() {
    run(Folder::new);
}

#[test]
fn memory() {
    run(Memory::default);
}

#[test]
fn postgres() {
    if let Some(server) = Postgres::start() {
        run(|| Schema::new(&server));
    }
}
