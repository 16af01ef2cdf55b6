//! Accounts beside the one that the home was opened for: guests. What lies on this machine is not theirs.
//!
//! A guest's places are folders below `accounts/NAME/` in the home, and nothing outside of them: not the files of the machine,
//! and not buckets, which would be read with the credentials of the server.

use std::path::{Component, Path, PathBuf};

use mainstay_api::{Error, ErrorKind};

use crate::instance::Instance;

/// The folder of the guests' files within the home.
const FOLDER: &str = "accounts";

impl Instance {
    /// Says whether this acts for another account than the one that the home was opened for.
    pub(crate) fn is_guest(&self) -> bool {
        self.context.account != self.options.context.account
    }

    /// Returns the folder to which the places of sources are relative.
    pub(crate) fn place_dir(&self) -> PathBuf {
        if self.is_guest() {
            return self.options.home.join(FOLDER).join(self.account());
        }
        let project = self.options.project.clone();
        project.unwrap_or_else(|| self.options.home.clone())
    }

    /// Returns a place if this account may use it.
    ///
    /// # Errors
    ///
    /// `Refused` for a guest's place outside its own folder.
    pub(crate) fn within<'a>(&self, place: &'a str) -> Result<&'a str, Error> {
        let below = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
        let own = !place.contains(':') && Path::new(place).components().all(below);
        if own || !self.is_guest() {
            return Ok(place);
        }
        let message = format!("`{place}` is not a place of account `{}`", self.account());
        Err(Error::new(ErrorKind::Refused, "MS0809", message).help(format!(
            "its places are folders below {FOLDER}/{} in the server's home, without `..`",
            self.account()
        )))
    }
}
