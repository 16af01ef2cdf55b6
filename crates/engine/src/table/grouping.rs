//! How the files of a scan are shared out to parallel readers.
//!
//! One rule, the same on every machine: files in a fixed order, cut into consecutive groups of about the same size.

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;

/// Cuts files into at most `groups` consecutive groups of about the same number of bytes; every group has a file.
pub(super) fn balanced(files: Vec<PartitionedFile>, groups: usize) -> Vec<FileGroup> {
    let groups = groups.clamp(1, files.len().max(1)) as u128;
    let total: u128 = files.iter().map(weight).sum();
    let mut out: Vec<Vec<PartitionedFile>> = Vec::new();
    let (mut before, mut group) = (0u128, None);
    for file in files {
        // The group in which the middle of the file lies.
        let middle = before + weight(&file) / 2;
        before += weight(&file);
        let own = (middle * groups)
            .checked_div(total)
            .map_or(0, |own| own.min(groups - 1));
        match out.last_mut() {
            Some(last) if group == Some(own) => last.push(file),
            _ => out.push(vec![file]),
        }
        group = Some(own);
    }
    out.into_iter().map(FileGroup::new).collect()
}

/// The work that a file is: its bytes, and something for opening it.
fn weight(file: &PartitionedFile) -> u128 {
    u128::from(file.object_meta.size) + 16_384
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No file is lost or doubled, the order stays, no group is empty, and no group exceeds its share by more than a file.
        #[test]
        fn every_file_is_in_one_group(sizes in prop::collection::vec(0u64..1_000_000, 0..40), groups in 1usize..9) {
            let files: Vec<_> = sizes.iter().enumerate().map(|(i, s)| PartitionedFile::new(format!("f{i:03}"), *s)).collect();
            let cut = balanced(files, groups);
            prop_assert!(cut.len() <= groups);
            let names: Vec<String> = cut.iter().flat_map(|g| g.iter().map(|f| f.path().to_string())).collect();
            prop_assert_eq!(names, (0..sizes.len()).map(|i| format!("f{i:03}")).collect::<Vec<_>>());
            let share = sizes.iter().map(|s| s + 16_384).sum::<u64>() / groups.min(sizes.len().max(1)) as u64;
            let largest = sizes.iter().max().copied().unwrap_or(0) + 16_384;
            for g in &cut {
                prop_assert!(!g.is_empty());
                let bytes: u64 = g.iter().map(|f| f.object_meta.size + 16_384).sum();
                prop_assert!(bytes <= share + largest + 1, "{} > {} + {}", bytes, share, largest);
            }
        }
    }
}
