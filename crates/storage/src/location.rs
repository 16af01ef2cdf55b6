//! Locations: from the text in a project file to a store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::error::{Error, Result};
use crate::local::Local;
use crate::store::Store;

/// Variables that say how servers are reached: those of the process, or a test's own.
pub type Environment = BTreeMap<String, String>;

fn process_environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect()
}

/// Opens the store at a location: a folder (made if it is not there; relative ones count from `base_dir`), a `file://` URL,
/// `s3://bucket/prefix` with credentials and endpoint from the environment, or `memory:` for tests.
///
/// # Errors
///
/// [`Kind::Invalid`](crate::Kind::Invalid) for a location of another form; [`Kind::Denied`](crate::Kind::Denied) or
/// [`Kind::Full`](crate::Kind::Full) if the folder cannot be made. A server is not asked yet.
pub fn open(location: &str, base_dir: &Path) -> Result<Store> {
    open_with(location, base_dir, &process_environment())
}

/// Opens the store at a location, as [`open`] does, with an environment of its own.
///
/// # Errors
///
/// As for [`open`].
pub fn open_with(location: &str, base_dir: &Path, env: &Environment) -> Result<Store> {
    match remote(location)? {
        Some(url) => open_remote(&url, env),
        None => {
            let folder = folder(location, base_dir);
            fs::create_dir_all(&folder).map_err(|e| Error::new("create", folder.display().to_string(), e))?;
            open_folder(&folder)
        }
    }
}

/// Opens the store at a location, as [`open`] does, and makes nothing.
///
/// # Errors
///
/// As for [`open`]; [`Kind::NotFound`](crate::Kind::NotFound) if there is no such folder.
pub fn open_existing(location: &str, base_dir: &Path) -> Result<Store> {
    match remote(location)? {
        Some(url) => open_remote(&url, &process_environment()),
        None => open_folder(&folder(location, base_dir)),
    }
}

/// Opens what a location with a glob names, for reading: the store at its fixed part, and the pattern within it.
/// `data/flights/*.parquet` is the pattern `*.parquet` in `data/flights`; a folder is everything in it and below.
/// Nothing is made.
///
/// # Errors
///
/// As for [`open`]; [`Kind::NotFound`](crate::Kind::NotFound) if there is no such folder.
pub fn open_glob(location: &str, base_dir: &Path) -> Result<(Store, String)> {
    open_glob_with(location, base_dir, &process_environment())
}

/// Opens what a location with a glob names, as [`open_glob`] does, with an environment of its own.
///
/// # Errors
///
/// As for [`open_glob`].
pub fn open_glob_with(location: &str, base_dir: &Path, env: &Environment) -> Result<(Store, String)> {
    if let Some(mut url) = remote(location)? {
        // A URL's path is taken as it was written: `*`, `?` and `[` mean themselves to object stores only in patterns.
        let text = location.split_once("://").map_or("", |(_, rest)| rest);
        let path = text.split_once('/').map_or("", |(_, path)| path);
        let (fixed, pattern) = split_glob(path);
        url.set_query(None);
        url.set_path(&fixed);
        return Ok((open_remote(&url, env)?, pattern));
    }
    let text = location.strip_prefix("file://").unwrap_or(location);
    if !has_glob(text) && folder(text, base_dir).is_dir() {
        return Ok((open_folder(&folder(text, base_dir))?, "**".to_owned()));
    }
    let (fixed, pattern) = split_glob(text);
    Ok((open_folder(&folder(&fixed, base_dir))?, pattern))
}

/// Says what is wrong with a location with a glob, without opening anything: its scheme, or its pattern.
///
/// # Errors
///
/// [`Kind::Invalid`](crate::Kind::Invalid), as [`open_glob`] and [`Store::list`] would say.
pub fn check_glob(location: &str) -> Result<()> {
    let path = match remote(location)? {
        Some(_) => {
            let text = location.split_once("://").map_or("", |(_, rest)| rest);
            text.split_once('/').map_or("", |(_, path)| path)
        }
        None => location.strip_prefix("file://").unwrap_or(location),
    };
    let (_, pattern) = split_glob(path);
    let checked = crate::listing::glob(&pattern);
    checked.map_err(|e| Error::invalid("open", location, e.to_string()))?;
    Ok(())
}

/// Splits a path at its first segment with a glob in it; without any, at its last segment. A path that ends in `/` is
/// everything below it.
pub fn split_glob(path: &str) -> (String, String) {
    if path.is_empty() {
        return (String::new(), "**".to_owned());
    }
    let segments: Vec<&str> = path.split('/').collect();
    let cut = segments
        .iter()
        .position(|s| has_glob(s))
        .unwrap_or(segments.len() - 1);
    let (fixed, rest) = segments.split_at(cut);
    let fixed = if fixed == [""] {
        "/".to_owned()
    } else {
        fixed.join("/")
    };
    let pattern = rest.join("/");
    (
        fixed,
        if pattern.is_empty() {
            "**".to_owned()
        } else {
            pattern
        },
    )
}

fn has_glob(s: &str) -> bool {
    s.contains(['*', '?', '[', '{'])
}

/// Reads a location as a URL of a server; none if it is a folder.
fn remote(location: &str) -> Result<Option<Url>> {
    let Some((scheme, _)) = location.split_once("://") else {
        if location == "memory:" {
            return Url::parse("memory:///")
                .map(Some)
                .map_err(|e| Error::invalid("open", location, e.to_string()));
        }
        return Ok(None);
    };
    match scheme {
        "file" => Ok(None),
        "s3" | "s3a" | "memory" => Url::parse(location)
            .map(Some)
            .map_err(|e| Error::invalid("open", location, e.to_string())),
        other => Err(Error::invalid(
            "open",
            location,
            format!("`{other}://` is not a store that mainstay knows"),
        )),
    }
}

/// Resolves the path of a folder, `.` and `..` included, without asking the disk.
fn folder(location: &str, base_dir: &Path) -> PathBuf {
    let path = base_dir.join(location.strip_prefix("file://").unwrap_or(location));
    let mut out = PathBuf::new();
    for part in std::path::absolute(&path).unwrap_or(path).components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

fn open_folder(folder: &Path) -> Result<Store> {
    let place = folder.display().to_string();
    let folder = folder
        .canonicalize()
        .map_err(|e| Error::new("open", place.clone(), e))?;
    let local = Local::new(folder.clone()).map_err(|e| Error::new("open", place.clone(), e))?;
    let url = Url::from_directory_path(&folder)
        .map_err(|()| Error::invalid("open", place, "the path cannot be written as a URL"))?;
    Store::new(Arc::new(local), url, Some(folder))
}

fn open_remote(url: &Url, env: &Environment) -> Result<Store> {
    let inner: Arc<dyn ObjectStore> = match url.scheme() {
        "memory" => Arc::new(InMemory::new()),
        _ => {
            let s3 = crate::s3::connect(url, env)?;
            let path =
                ObjectPath::from_url_path(url.path()).map_err(|e| Error::new("open", url.as_str(), e))?;
            if path.as_ref().is_empty() {
                Arc::new(s3)
            } else {
                Arc::new(PrefixStore::new(s3, path))
            }
        }
    };
    let mut url = url.clone();
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Store::new(inner, url, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_cut_at_the_first_wildcard() {
        for (path, fixed, pattern) in [
            ("data/flights/*.parquet", "data/flights", "*.parquet"),
            ("data/2013-*/x/*.csv", "data", "2013-*/x/*.csv"),
            ("data/airports.csv", "data", "airports.csv"),
            ("airports.csv", "", "airports.csv"),
            ("*.csv", "", "*.csv"),
            ("/abs/*.csv", "/abs", "*.csv"),
            ("/*.csv", "/", "*.csv"),
            ("data/", "data", "**"),
            ("", "", "**"),
        ] {
            assert_eq!(split_glob(path), (fixed.to_owned(), pattern.to_owned()), "{path}");
        }
    }

    #[test]
    fn strange_schemes_are_refused() {
        let e = open("gopher://x/y", Path::new("/")).expect_err("no gophers");
        assert_eq!(e.kind, crate::Kind::Invalid);
        for bad in [
            "gopher://x/*.csv",
            "in/a[.csv",
            "s3://bucket/a{b.csv",
            "file:///in/[z-a]",
        ] {
            assert_eq!(check_glob(bad).expect_err(bad).kind, crate::Kind::Invalid);
        }
        for good in [
            "in/*.csv",
            "s3://bucket/**/*.parquet",
            "in",
            "memory:",
            "file:///in/[a-z]*",
        ] {
            check_glob(good).expect(good);
        }
    }

    #[test]
    fn a_folder_is_made_for_writing_and_not_for_reading() {
        let dir = tempfile::tempdir().expect("a folder");
        let e = open_glob("in/*.csv", dir.path()).expect_err("no such folder");
        assert_eq!(e.kind, crate::Kind::NotFound);
        let store = open("a/../lake", dir.path()).expect("a store");
        assert_eq!(
            store.local_root(),
            Some(dir.path().canonicalize().expect("a path").join("lake").as_path())
        );
        assert!(dir.path().join("lake").is_dir() && !dir.path().join("in").exists());
    }
}
