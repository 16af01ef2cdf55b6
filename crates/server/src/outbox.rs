//! The outbox: messages that are to be sent, ready to be sent, and what came of it.
//!
//! What is owed is a fact, and stays owed until another fact says that it was taken or is given up. A process that dies between
//! sending and recording sends again, under the same id, by which who receives it can drop the second one.

use mainstay_api::Error;
use mainstay_control::{Attempted, Command, Message, Sight};
use mainstay_model::id::MessageId;
use mainstay_model::message::ChannelSpec;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use serde_json::{Value, json};

use crate::hook::signature;
use crate::instance::Instance;
use crate::step;

/// How many messages are sent at a time.
const AT_ONCE: usize = 16;

/// A message, ready to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The account whose message it is.
    pub account: String,
    /// Which message.
    pub message: MessageId,
    /// Where to.
    pub url: String,
    /// Whether it may go to places that only this machine or its network reaches.
    pub anywhere: bool,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Instance {
    /// Returns messages that are to be sent now; those that cannot be made ready are recorded as failed.
    ///
    /// # Errors
    ///
    /// If that cannot be recorded.
    pub fn outgoing(&self) -> Result<Vec<Outgoing>, Error> {
        let now = self.clock.now();
        let due: Vec<(String, MessageId)> = {
            let ledger = self.ledger();
            let acting = ledger.states().filter(|(_, state)| !state.rests());
            let all = acting.flat_map(|(account, state)| {
                let due = state.messages.all.iter();
                let due = due.filter(move |(_, m)| m.next.is_some_and(|next| next <= now));
                due.map(move |(id, _)| (account.to_owned(), *id))
            });
            all.take(AT_ONCE).collect()
        };
        let mut ready = Vec::new();
        for (account, message) in due {
            let own = self.as_part_of(&account, "mainstay", None)?;
            match own.made_ready(message) {
                Ok(outgoing) => ready.push(outgoing),
                Err(e) => own.sent(
                    &account,
                    message,
                    Attempted::Failed {
                        error: e.message,
                        again: true,
                    },
                )?,
            }
        }
        Ok(ready)
    }

    fn made_ready(&self, id: MessageId) -> Result<Outgoing, Error> {
        let (message, channel) = self
            .with(|sight| {
                let message = sight.state.messages.all.get(&id)?.clone();
                let channel = channel(sight, &message.owed.channel);
                Some((message, channel))
            })
            .ok_or_else(|| gone("the message"))?;
        let channel = channel.ok_or_else(|| gone(&format!("channel/{}", message.owed.channel)))?;
        let body = self.event(&message).to_string();
        let now = self.clock.now();
        // The same in every attempt, and of no other message of any home.
        let webhook_id = format!("msg_{}_{}_{id}", self.origin(), self.account());
        let secret = channel.secret.filter(|_| channel.format.is_default());
        let secrets = self.secrets(&secret.ok_or_else(|| gone("the secret"))?)?;
        let mut headers = signature::signed(&webhook_id, now, body.as_bytes(), &secrets);
        headers.push((
            "content-type".to_owned(),
            "application/cloudevents+json".to_owned(),
        ));
        Ok(Outgoing {
            account: self.account().to_owned(),
            message: id,
            url: channel.url,
            anywhere: !self.is_guest(),
            headers,
            body,
        })
    }

    /// A name of the journal that fits into ids.
    pub(crate) fn origin(&self) -> String {
        let origin = self.ledger().journal().origin().to_owned();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        origin.chars().map(plain).collect()
    }

    /// A message as a CloudEvent.
    fn event(&self, message: &Message) -> Value {
        let owed = &message.owed;
        let kind = owed.kind.as_deref().unwrap_or("trigger.fired");
        let subject = owed
            .subject
            .clone()
            .unwrap_or_else(|| format!("trigger/{}", owed.trigger));
        // A trigger fires and is over; how an alarm stands is to be seen.
        let look = if kind.starts_with("alarm.") { "show" } else { "why" };
        json!({
            "specversion": "1.0",
            "id": owed.message.to_string(),
            "source": format!("mainstay/{}/{}", self.origin(), self.account()),
            "type": format!("dev.mainstay.{kind}.v1"),
            "subject": subject,
            "time": message.time.to_string(),
            "datacontenttype": "application/json",
            "data": {
                "trigger": owed.trigger, "because": owed.because, "incident": owed.incident,
                "why": format!("mainstay {look} {subject}"), "fact": owed.body,
            },
        })
    }

    /// Records what came of sending a message.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded.
    pub fn sent(&self, account: &str, message: MessageId, attempted: Attempted) -> Result<(), Error> {
        step::at("message.sent");
        let own = self.as_part_of(account, "mainstay", None)?;
        own.submit(Command::MessageAttempted { message, attempted })?;
        Ok(())
    }
}

fn gone(what: &str) -> Error {
    Error::new(
        mainstay_api::ErrorKind::NotFound,
        "MS0401",
        format!("{what} is not there any more"),
    )
}

fn channel(sight: &Sight<'_>, name: &str) -> Option<ChannelSpec> {
    match &sight
        .state
        .main
        .resource(&ResourceKey::new(Kind::Channel, name))?
        .spec
    {
        Spec::Channel(spec) => Some(spec.clone()),
        _ => None,
    }
}

/// A message as `list` shows it.
pub(crate) fn listed(id: MessageId, message: &Message) -> Value {
    let state = match (message.sent, message.next) {
        (Some(_), _) => "sent",
        (None, Some(_)) if message.attempts == 0 => "owed",
        (None, Some(_)) => "retrying",
        (None, None) => "given_up",
    };
    let owed = &message.owed;
    json!({ "message": id.to_string(), "state": state, "channel": owed.channel, "trigger": owed.trigger, "because": owed.because,
        "time": message.time, "attempts": message.attempts, "sent": message.sent, "next": message.next, "error": message.error,
        "incident": owed.incident, "seq": message.seq })
}
