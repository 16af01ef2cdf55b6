//! Hooks: doors through which others say that something happened, and where their secrets are.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a secret is; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// In a variable of the server's environment: `env:PARTNER_SECRET`.
    Environment(String),
    /// In a file of the account's folder of secrets in the home: `file:partner`.
    File(String),
}

/// What is wrong with a text that should say where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret is at `env:VARIABLE` or `file:NAME`")]
pub struct BadSecretPlace;

impl FromStr for SecretPlace {
    type Err = BadSecretPlace;

    fn from_str(s: &str) -> Result<Self, BadSecretPlace> {
        let (scheme, name) = s.split_once(':').ok_or(BadSecretPlace)?;
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || (scheme == "file" && c == '-');
        if !name.starts_with(begins) || !name.chars().all(plain) || name.len() > 100 {
            return Err(BadSecretPlace);
        }
        match scheme {
            "env" => Ok(Self::Environment(name.to_owned())),
            "file" => Ok(Self::File(name.to_owned())),
            _ => Err(BadSecretPlace),
        }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(name) => write!(f, "file:{name}"),
        }
    }
}

impl Serialize for SecretPlace {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretPlace {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = String::deserialize(d)?;
        s.parse().map_err(serde::de::Error::custom)
    }
}

/// A door for messages from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSpec {
    /// Who comes through it, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the secret is by which its messages are signed.
    pub secret: SecretPlace,
}

/// A message came through a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookReceived {
    /// The hook.
    pub hook: String,
    /// The message's id; another one of the same id does nothing.
    pub id: String,
    /// By what it was known to come from somebody who may: `signature`, or the token of the sender.
    pub by: String,
    /// What happened, as the sender calls it.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Where it happened, as a CloudEvent says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it is about, as a CloudEvent says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened, as the sender says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Further attributes of a CloudEvent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
    /// What it says.
    #[serde(default)]
    pub data: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_secrets() {
        for s in ["env:PARTNER_SECRET", "file:partner-2", "env:_x"] {
            assert_eq!(s.parse::<SecretPlace>().expect(s).to_string(), s);
        }
        for bad in [
            "",
            "whsec_abc",
            "env:",
            "file:../x",
            "file:a/b",
            "vault:x",
            "env:A-B",
            "file:.x",
        ] {
            assert!(bad.parse::<SecretPlace>().is_err(), "{bad}");
        }
    }
}
