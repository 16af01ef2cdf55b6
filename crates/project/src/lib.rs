//! Project files to declared resources, with mistakes as a compiler shows them.
//!
//! Text in, resources or mistakes out: this crate reads no file and plans no query. It knows how TOML and the settings in a
//! query's comments are written, and keeps where everything stands, so that what later phases find out about a query is said
//! at its line. All mistakes are found at once; what is wrong in one file hides nothing in another.
//!
//! ```
//! use mainstay_project::{SourceFile, load, render};
//!
//! let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
//! let files = [
//!     file("mainstay.toml", "[project]\nname = \"flights\"\n"),
//!     file("jobs/air/daily.sql", "-- /// mainstay\n-- retrys = 2\n-- ///\nSELECT 1 AS x\n"),
//! ];
//! let (declared, mistakes) = load(&files);
//! assert_eq!(declared.map(|d| d.jobs.len()), Some(1));
//! assert_eq!((mistakes[0].line, mistakes[0].code), (2, "MS0103"));
//! assert!(render(&mistakes, &files, false).contains("did you mean `retries`?"));
//! ```

pub mod amount;
mod code;
mod declared;
mod discover;
mod document;
pub mod format;
mod load;
mod mistake;
mod place;
mod read;
mod render;
mod settings;

pub use code::{CODES, Code};
pub use declared::{
    Declared, DeclaredAlarm, DeclaredChannel, DeclaredCheck, DeclaredHook, DeclaredJob, DeclaredLimit,
    DeclaredSlice, DeclaredSource, DeclaredTrigger,
};
pub use discover::is_project_file;
pub use format::{job_schema, schema};
pub use load::{MAIN_FILE, SourceFile, load};
pub use mistake::Mistake;
pub use place::{Place, Spanned, Text};
pub use render::{render, render_each};
