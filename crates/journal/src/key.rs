//! Keys that sign checkpoints, and signed notes: the formats of C2SP's signed-note, as the Go checksum database has them.
//!
//! Owns Ed25519 and nothing else; what a note says is its reader's business.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer};

use crate::entropy;
use crate::error::{Error, Kind};
use crate::merkle::sha256;

/// The byte that says Ed25519 in keys and key ids.
const ED25519: u8 = 1;
const PRIVATE: &str = "PRIVATE+KEY+";
/// What a signature line begins with.
const DASH: &str = "\u{2014} ";

/// The private key that signs a journal's checkpoints; its name is the journal's origin.
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// Makes a key from 32 secret random bytes.
    ///
    /// # Errors
    /// `Invalid` if the name is empty or has a space, a control character or a plus sign.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, Error> {
        check_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            key: ed25519_dalek::SigningKey::from_bytes(&seed),
        })
    }

    /// Makes a new key.
    ///
    /// # Errors
    /// `Invalid` as [`SigningKey::from_seed`], `Unavailable` if there is no randomness.
    pub fn generate(name: &str) -> Result<Self, Error> {
        let mut seed = [0; 32];
        entropy::fill(&mut seed)?;
        Self::from_seed(name, seed)
    }

    /// Reads the key in a file, or makes one there; the verifier key stands beside it, with `.pub` after its name.
    ///
    /// # Errors
    /// `Invalid` if the key has another name, is none, or may be read by others; `Unavailable`.
    pub fn load_or_create(path: &Path, name: &str) -> Result<Self, Error> {
        if !path.try_exists().map_err(|e| failed(path, e))? {
            Self::generate(name)?.save(path)?;
        }
        let key = Self::load(path)?;
        if key.name != name {
            let text = format!("the key in {} is of {}, not of {name}", path.display(), key.name);
            return Err(Error::invalid(text));
        }
        Ok(key)
    }

    /// Reads the key in a file.
    ///
    /// # Errors
    /// `Missing`, `Invalid` if it is no key or may be read by others, `Unavailable`.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|e| failed(path, e))?;
        let mode = fs::metadata(path)
            .map_err(|e| failed(path, e))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            let text = format!(
                "{} may be read by others (mode {:o}); make it 0600",
                path.display(),
                mode & 0o777
            );
            return Err(Error::invalid(text));
        }
        text.trim_end()
            .parse()
            .map_err(|e: Error| Error::invalid(format!("{}: {e}", path.display())))
    }

    /// Writes the key to a file that is not there yet, for its owner only, and the verifier key beside it. If another
    /// process was faster, its key stays.
    fn save(&self, path: &Path) -> Result<(), Error> {
        let aside = beside(path, &format!(".{}", std::process::id()));
        let write = || {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&aside)?;
            let seed = [&[ED25519], self.key.as_bytes().as_slice()].concat();
            let id = HEXLOWER.encode(&self.verifier().id);
            writeln!(file, "{PRIVATE}{}+{id}+{}", self.name, BASE64.encode(&seed))?;
            file.sync_all()?;
            match fs::hard_link(&aside, path) {
                Ok(()) => fs::write(beside(path, ".pub"), format!("{}\n", self.verifier())),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                Err(e) => Err(e),
            }
        };
        let written = write().map_err(|e| failed(path, e));
        let removed = fs::remove_file(&aside).map_err(|e| failed(&aside, e));
        written.and(removed)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key that checks this one's signatures.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(&self.name, self.key.verifying_key())
    }

    /// Signs a text, which ends with a line feed, and returns the note.
    pub(crate) fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let line = [self.verifier().id.as_slice(), &signature].concat();
        format!("{text}\n{DASH}{} {}\n", self.name, BASE64.encode(&line))
    }
}

impl FromStr for SigningKey {
    type Err = Error;

    /// Reads `PRIVATE+KEY+name+id+key`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::invalid("this is not a private key of the form PRIVATE+KEY+name+id+key");
        let (name, id, seed) = text.strip_prefix(PRIVATE).and_then(parts).ok_or_else(bad)?;
        let key = Self::from_seed(&name, seed)?;
        if key.verifier().id == id {
            Ok(key)
        } else {
            Err(bad())
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.name).finish()
    }
}

/// The public key that checks a journal's checkpoints, written `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

impl VerifierKey {
    fn new(name: &str, key: ed25519_dalek::VerifyingKey) -> Self {
        let hash = sha256(&[name.as_bytes(), b"\n", &[ED25519], key.as_bytes()]);
        let [a, b, c, d, ..] = *hash.as_bytes();
        Self {
            name: name.to_owned(),
            id: [a, b, c, d],
            key,
        }
    }

    /// Returns the name: the origin of the journal whose checkpoints it checks.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks a signed note and returns its text. Signatures of other keys are passed over.
    ///
    /// # Errors
    /// `Forged` if this key's signature is missing or wrong.
    pub(crate) fn check<'a>(&self, note: &'a str) -> Result<&'a str, Error> {
        let (text, signatures) = split(note)?;
        for line in signatures.lines() {
            let malformed = || Error::forged("a line among the signatures of a note is not a signature");
            let (name, signature) = line
                .strip_prefix(DASH)
                .and_then(|line| line.split_once(' '))
                .ok_or_else(malformed)?;
            let bytes = BASE64.decode(signature.as_bytes()).map_err(|_| malformed())?;
            let (id, signature) = bytes.split_at_checked(4).ok_or_else(malformed)?;
            if name != self.name || id != self.id {
                continue;
            }
            let signature = Signature::from_slice(signature).map_err(|_| malformed())?;
            return match self.key.verify_strict(text.as_bytes(), &signature) {
                Ok(()) => Ok(text),
                Err(_) => Err(Error::forged(format!(
                    "the signature of {} on a note does not hold",
                    self.name
                ))),
            };
        }
        Err(Error::forged(format!(
            "the note is not signed with the key {self}"
        )))
    }
}

/// Splits a note into its text, with the line feed that ends it, and its signature lines.
pub(crate) fn split(note: &str) -> Result<(&str, &str), Error> {
    let bad = || Error::forged("this is not a signed note");
    let at = note.rfind("\n\n").ok_or_else(bad)?;
    let (text, signatures) = note.split_at_checked(at + 1).ok_or_else(bad)?;
    let signatures = signatures
        .strip_prefix('\n')
        .filter(|s| s.ends_with('\n'))
        .ok_or_else(bad)?;
    if text.chars().any(|c| c.is_control() && c != '\n') {
        Err(bad())
    } else {
        Ok((text, signatures))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(
            f,
            "{}+{}+{}",
            self.name,
            HEXLOWER.encode(&self.id),
            BASE64.encode(&key)
        )
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    /// Reads `name+id+key`.
    fn from_str(text: &str) -> Result<Self, Error> {
        // What was given may be the private key: it is not repeated.
        let bad = || match text.starts_with(PRIVATE) {
            true => Error::invalid(
                "this is a private key; a proof is checked with the public one, in the file beside it with .pub",
            ),
            false => Error::invalid("this is not a verifier key of the form name+id+key"),
        };
        let (name, id, key) = parts(text.trim_end()).ok_or_else(bad)?;
        check_name(&name)?;
        let key = Self::new(
            &name,
            ed25519_dalek::VerifyingKey::from_bytes(&key).map_err(|_| bad())?,
        );
        if key.id == id { Ok(key) } else { Err(bad()) }
    }
}

/// Takes `name+id+key` apart; the base64 of the key may itself have plus signs.
fn parts(text: &str) -> Option<(String, [u8; 4], [u8; 32])> {
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    let id = HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()?;
    let key = BASE64.decode(key.as_bytes()).ok()?;
    let (kind, key) = key.split_first()?;
    let key = key.try_into().ok()?;
    (*kind == ED25519).then(|| (name.to_owned(), id, key))
}

/// Checks that a name can stand in a key and a note.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(bad) {
        let text = format!(
            "`{name}` cannot name a journal or a key: no spaces, no control characters, no plus signs"
        );
        return Err(Error::invalid(text));
    }
    Ok(())
}

/// Returns the path with something after its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    let missing = source.kind() == std::io::ErrorKind::NotFound;
    let kind = if missing { Kind::Missing } else { Kind::Unavailable };
    Error::new(kind, format!("the key file {} cannot be used", path.display())).with_source(source)
}

#[cfg(test)]
mod tests;
