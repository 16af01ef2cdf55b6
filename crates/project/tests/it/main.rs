//! Project files in, resources and mistakes out.

mod codes;

use mainstay_project::SourceFile;

/// Files by their paths.
fn files(list: &[(&str, &str)]) -> Vec<SourceFile> {
    list.iter()
        .map(|(path, text)| SourceFile {
            path: (*path).into(),
            text: (*text).into(),
        })
        .collect()
}
