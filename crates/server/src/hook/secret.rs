//! Secrets of hooks: read when they are needed, from the environment or from a file of the home, and kept nowhere.

use std::os::unix::fs::PermissionsExt;

use data_encoding::BASE64;
use mainstay_api::{Error, ErrorKind};
use mainstay_model::hook::SecretPlace;

use crate::instance::Instance;

/// The folder of secrets in the home, with a folder for each account in it.
const FOLDER: &str = "secrets";

/// What secrets begin with, as Standard Webhooks writes them.
const PREFIX: &str = "whsec_";

/// The shortest secret, in bytes.
const SHORTEST: usize = 16;

/// A key for signatures.
#[derive(Clone)]
pub(crate) struct Secret(pub(super) Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

fn unusable(place: &SecretPlace, why: impl std::fmt::Display) -> Error {
    let message = format!("the secret at {place} cannot be used: {why}");
    Error::new(ErrorKind::Unavailable, "MS0826", message).help(
        "a secret is `whsec_` and 16 bytes or more in base64; several, while one takes the place of another, stand on lines of their own",
    )
}

impl Instance {
    /// Reads the secrets at a place: one, or several while one takes the place of another.
    ///
    /// # Errors
    ///
    /// `Unavailable` if there are none that can be used.
    pub(crate) fn secrets(&self, place: &SecretPlace) -> Result<Vec<Secret>, Error> {
        let text = self.secret_text(place)?;
        let secrets: Vec<Secret> = text
            .split_whitespace()
            .map(|word| {
                let bytes = word.strip_prefix(PREFIX).map(str::as_bytes);
                let bytes = bytes
                    .and_then(|b| BASE64.decode(b).ok())
                    .filter(|b| b.len() >= SHORTEST);
                bytes
                    .map(Secret)
                    .ok_or_else(|| unusable(place, "it is not written so"))
            })
            .collect::<Result<_, _>>()?;
        if secrets.is_empty() {
            return Err(unusable(place, "it is empty"));
        }
        Ok(secrets)
    }

    /// Reads what stands at the place of a secret.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it cannot be read, or others may read it, too.
    pub(crate) fn secret_text(&self, place: &SecretPlace) -> Result<String, Error> {
        match place {
            SecretPlace::Environment(_) if self.is_guest() => {
                Err(unusable(place, "the server's environment is not this account's"))
            }
            SecretPlace::Environment(name) => {
                std::env::var(name).map_err(|_| unusable(place, "the server has no such variable"))
            }
            SecretPlace::File(name) => {
                // Whoever sent a message sees what is said here: nothing of where the home is.
                let file = self.home().join(FOLDER).join(self.account()).join(name);
                let cannot = |e: std::io::Error| unusable(place, e.kind());
                let mode = std::fs::metadata(&file).map_err(cannot)?;
                if mode.permissions().mode() & 0o077 != 0 {
                    return Err(unusable(
                        place,
                        "others than its owner may read the file (chmod 600)",
                    ));
                }
                std::fs::read_to_string(&file).map_err(cannot)
            }
        }
    }
}
