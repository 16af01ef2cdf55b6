//! One set of features for the heavy dependencies, whichever crate is built.
//!
//! Cargo chooses the features of a dependency by what is built together. Without this crate `cargo test -p mainstay-sql` and
//! `cargo test -p mainstay-engine` would each compile DataFusion anew, for many minutes, because one of its dependencies has
//! another feature. Crates that stand on the heavy dependencies depend on this one, which names every feature that any of them
//! needs. It has no code. Its cost: such a crate waits for all of them, which the binary does anyway.
