//! The suite that every store must pass.

use mainstay_journal::store::conformance::{CASES, Fixture};

use crate::place::{Folder, Memory};

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
