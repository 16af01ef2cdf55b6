//! A delivered file in, staged slice files out, or the place of the first bad value.
//!
//! Owns places where files are delivered ([`Watch`]), the formats (Parquet, CSV, NDJSON), inference, what happens when a
//! file's columns are not the dataset's, slice expressions, and the words for everything that can be wrong with a file.
//! Refuses to know the journal, and which files are new: the caller decides which to take.
//!
//! Invariants: a file is taken whole or not at all; what is parsed is exactly what was hashed; no value is changed silently;
//! an error names the first bad row; memory does not grow with the file.
//!
//! ```
//! use mainstay_ingest::{Content, Error, infer};
//!
//! let spec = serde_json::from_str(r#"{ "files": "in/*.csv", "format": "csv" }"#).unwrap();
//! let columns = infer(&spec, "in/a.csv", &Content::from_bytes("day,n\n2013-02-03,7\n")).unwrap();
//! assert_eq!(columns.0[0].column_type.to_string(), "date");
//! let Err(Error::File(e)) = infer(&spec, "in/b.csv", &Content::from_bytes("day,n\n2013-02-03\n")) else { panic!() };
//! assert_eq!((e.row, e.message.as_str()), (Some(1), "row 1 (line 2) has 1 field, the header has 2"));
//! ```

mod cast;
mod columns;
mod content;
mod error;
mod fault;
mod guess;
mod infer;
mod intake;
mod read;
mod round;
mod shape;
mod slices;
mod watch;

pub use content::Content;
pub use error::Error;
pub use infer::infer;
pub use intake::{Intake, Taken, Taking};
pub use round::Stage;
pub use slices::check_slice;
pub use watch::{Arrival, Found, Watch};
