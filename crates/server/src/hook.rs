//! Hooks: messages from elsewhere become facts, once each.
//!
//! A message is believed if it is signed by the hook's secret (Standard Webhooks), or if its sender was let in as somebody who may
//! change things. What it says is taken as it is, or as a CloudEvent where it says that it is one.

mod event;
mod secret;
pub(crate) mod signature;

use mainstay_api::{Error, ErrorKind, HookReport};
use mainstay_control::{Command, Sight};
use mainstay_model::fact::HookReceived;
use mainstay_model::hook::HookSpec;
use mainstay_model::resource::{Kind, Resource, ResourceKey, Spec};
use serde_json::{Value, json};

use crate::instance::Instance;

/// A message that came, as HTTP carries it.
#[derive(Clone, Debug, Default)]
pub struct HookMessage {
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// As whom its sender was let in, if that is somebody who may change things.
    pub sender: Option<String>,
    /// The key of the request.
    pub key: String,
}

impl HookMessage {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Instance {
    /// Takes in a message.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such hook, `Refused` if it is not known who sent it, `Invalid` if it says nothing that can be
    /// understood.
    pub fn receive(&self, hook: &str, message: &HookMessage) -> Result<HookReport, Error> {
        let (id, by) = match (signature::Signed::of(message), &message.sender) {
            // Which hooks there are is not said to anybody.
            (None, None) => return Err(signature::unsigned()),
            (None, Some(sender)) => {
                self.hook(hook)?;
                (None, sender.clone())
            }
            (Some(signed), _) => {
                let spec = self.hook(hook)?;
                let secrets = self.secrets(&spec.secret)?;
                signed.verify(&message.body, &secrets, self.clock.now())?;
                (Some(signed.id.to_owned()), "signature".to_owned())
            }
        };
        let event = event::read(message)?;
        let own = event.id.as_ref().map(|(source, id)| format!("{source} {id}"));
        let id = id.or(own).unwrap_or_else(|| message.key.clone());
        let received = HookReceived {
            hook: hook.to_owned(),
            id: id.clone(),
            by,
            event_type: event.event_type,
            source: event.id.map(|(source, _)| source),
            subject: event.subject,
            time: event.time,
            attributes: event.attributes,
            data: event.data,
        };
        let actor = format!("hook/{hook}");
        let own = self.as_part_of(self.account(), &actor, None)?;
        let recorded = own.submit(Command::ReceiveHook { received })?;
        Ok(HookReport {
            hook: hook.to_owned(),
            id,
            received: !recorded.is_empty(),
            seq: recorded.first().map(|(seq, _)| *seq),
        })
    }

    fn hook(&self, name: &str) -> Result<HookSpec, Error> {
        let key = ResourceKey::new(Kind::Hook, name);
        match self.resource(&key).map(|r| r.spec) {
            Some(Spec::Hook(spec)) => Ok(spec),
            _ => Err(Error::new(
                ErrorKind::NotFound,
                "MS0401",
                format!("there is no hook `{name}`"),
            )),
        }
    }
}

/// A hook with what is known of it.
pub(crate) fn status(sight: &Sight<'_>, resource: &Resource) -> Option<Value> {
    let Spec::Hook(_) = &resource.spec else {
        return None;
    };
    let received = sight.state.hooks.get(&resource.name);
    Some(json!({
        "path": format!("/v1/hooks/{}", resource.name),
        "received": received.map_or(0, |r| r.count),
        "last": received.and_then(|r| r.last).map(|(time, _)| time),
    }))
}
