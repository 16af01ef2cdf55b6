//! Messages to elsewhere: what triggers tell people and programs, and what became of it.

use mainstay_base::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hook::SecretPlace;
use crate::id::{FiringId, MessageId};

/// What a channel is told, and how it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelFormat {
    /// What triggers tell it, as CloudEvents.
    #[default]
    CloudEvents,
    /// Every run, from what and of what, as OpenLineage has it.
    OpenLineage,
}

impl ChannelFormat {
    /// Says whether it is the one that is meant where none is named.
    pub const fn is_default(&self) -> bool {
        matches!(self, Self::CloudEvents)
    }
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSpec {
    /// Who is there, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The URL that they are sent to.
    pub url: String,
    /// What it is told.
    #[serde(default, skip_serializing_if = "ChannelFormat::is_default")]
    pub format: ChannelFormat,
    /// Where the secret is by which messages are signed, or the key that is shown with lineage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretPlace>,
}

/// A fact of one's own that a trigger adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmitSpec {
    /// What it is called.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What it says.
    #[serde(default)]
    pub data: Value,
}

/// A trigger said something of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventEmitted {
    /// What it is called.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What it says.
    #[serde(default)]
    pub data: Value,
    /// The trigger.
    pub trigger: String,
    /// The firings that it stands for.
    pub firings: Vec<FiringId>,
}

/// A message is to be sent, until [`MessageSent`] says that it was or [`MessageFailed`] that it is given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageOwed {
    /// Its id.
    pub message: MessageId,
    /// Where it goes.
    pub channel: String,
    /// The trigger that sends it, or `alarm/NAME`.
    pub trigger: String,
    /// The firing that it is about; 0 if it is about an alarm.
    pub firing: FiringId,
    /// What goes on wrongly and is told once; none if it is about one thing that happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// What happened, in words.
    pub because: String,
    /// The kind of fact that it is about; none for clock times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What that fact is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What that fact says; null if it says more than a message should.
    #[serde(default)]
    pub body: Value,
}

/// A message was taken by who it was for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSent {
    /// Which.
    pub message: MessageId,
    /// At which attempt, from 1.
    pub attempt: u32,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// A message could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFailed {
    /// Which.
    pub message: MessageId,
    /// At which attempt, from 1.
    pub attempt: u32,
    /// Why, in words.
    pub error: String,
    /// When it is tried again; none: it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}
