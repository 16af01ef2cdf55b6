//! The socket in the home: how commands on this machine find the server.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The name of the socket within the home.
const NAME: &str = "mainstay.sock";

/// How long a path to a socket may be; the system allows 107 bytes.
const LONGEST: usize = 100;

/// Returns the path of a home's socket.
pub fn path(home: &Path) -> PathBuf {
    home.join(NAME)
}

/// A path by which the system takes the socket, however long the home's is. It holds for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Short {
    pub(crate) path: PathBuf,
    _folder: Option<OwnedFd>,
}

impl Short {
    pub(crate) fn of(home: &Path) -> std::io::Result<Self> {
        let whole = path(home);
        if whole.as_os_str().len() <= LONGEST {
            return Ok(Self {
                path: whole,
                _folder: None,
            });
        }
        let folder: OwnedFd = std::fs::File::open(home)?.into();
        Ok(Self {
            path: PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd())),
            _folder: Some(folder),
        })
    }
}
