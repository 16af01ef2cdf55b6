//! What a message says: a CloudEvent 1.0, in structured or binary mode, or anything else as it is.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use mainstay_api::{Error, ErrorKind};
use serde_json::{Map, Value};

use super::HookMessage;

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Event {
    /// A CloudEvent's source and id, which name it together.
    pub(super) id: Option<(String, String)>,
    pub(super) event_type: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) time: Option<String>,
    pub(super) attributes: BTreeMap<String, Value>,
    pub(super) data: Value,
}

fn bad(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "MS0828", why).help(
        "JSON, or a CloudEvent 1.0: structured (Content-Type: application/cloudevents+json) or binary (headers ce-…)",
    )
}

/// Reads what a message says.
pub(super) fn read(message: &HookMessage) -> Result<Event, Error> {
    let kind = message.header("content-type").unwrap_or_default();
    let essence = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/cloudevents+json" {
        return structured(&message.body);
    }
    if essence.starts_with("application/cloudevents") {
        return Err(bad(format!(
            "`{essence}` is not taken, only one event at a time in JSON"
        )));
    }
    let data = data(&essence, &message.body)?;
    if message.header("ce-specversion").is_some() {
        return binary(message, data);
    }
    let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Event {
        event_type: text("type"),
        time: text("timestamp"),
        data,
        ..Event::default()
    })
}

fn is_json(essence: &str) -> bool {
    essence.is_empty() || essence == "application/json" || essence.ends_with("+json")
}

/// What a body is by its type: JSON, a text, or bytes in base64.
fn data(essence: &str, body: &[u8]) -> Result<Value, Error> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    if is_json(essence) {
        return serde_json::from_slice(body).map_err(|e| bad("the body is not JSON").because(&e));
    }
    Ok(match std::str::from_utf8(body) {
        Ok(text) => Value::from(text),
        Err(_) => Value::from(BASE64.encode(body)),
    })
}

fn structured(body: &[u8]) -> Result<Event, Error> {
    let parsed: Value = serde_json::from_slice(body).map_err(|e| bad("the event is not JSON").because(&e))?;
    let Value::Object(mut fields) = parsed else {
        return Err(bad("the event is not a JSON object"));
    };
    let data = match (fields.remove("data"), fields.remove("data_base64")) {
        (Some(_), Some(_)) => return Err(bad("an event has `data` or `data_base64`, not both")),
        (Some(data), None) => data,
        (None, Some(Value::String(text))) => {
            BASE64
                .decode(text.as_bytes())
                .map_err(|e| bad("`data_base64` is not base64").because(&e))?;
            Value::from(text)
        }
        (None, Some(_)) => return Err(bad("`data_base64` is not a text")),
        (None, None) => Value::Null,
    };
    attributes(fields, data)
}

fn binary(message: &HookMessage, data: Value) -> Result<Event, Error> {
    let named = message.headers.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("ce-")?;
        Some((name.to_owned(), Value::from(unescaped(value))))
    });
    let mut fields: Map<String, Value> = named.collect();
    if let Some(kind) = message.header("content-type") {
        fields.insert("datacontenttype".to_owned(), kind.into());
    }
    attributes(fields, data)
}

/// Takes percent signs out of the value of a header, as the binding of CloudEvents to HTTP says.
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        let code = hex
            .and_then(|h| u8::from_str_radix(h, 16).ok())
            .filter(|_| *first == b'%');
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn attributes(mut fields: Map<String, Value>, data: Value) -> Result<Event, Error> {
    let mut text = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(bad(format!(
            "the event's `{name}` is not a text that says something"
        ))),
    };
    let needed =
        |name: &str, value: Option<String>| value.ok_or_else(|| bad(format!("the event has no `{name}`")));
    let version = text("specversion")?;
    let version = needed("specversion", version)?;
    if version != "1.0" {
        return Err(bad(format!("CloudEvents {version} are not known, only 1.0")));
    }
    let (id, source, event_type) = (text("id")?, text("source")?, text("type")?);
    let event = Event {
        id: Some((needed("source", source)?, needed("id", id)?)),
        event_type: Some(needed("type", event_type)?),
        subject: text("subject")?,
        time: text("time")?,
        attributes: BTreeMap::new(),
        data,
    };
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if let Some(wrong) = fields.keys().find(|name| !plain(name)) {
        let why = format!("`{wrong}` is not the name of an attribute: lower-case letters and digits");
        return Err(bad(why));
    }
    Ok(Event {
        attributes: fields.into_iter().collect(),
        ..event
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(headers: &[(&str, &str)], body: &str) -> HookMessage {
        let header = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        HookMessage {
            headers: headers.iter().map(header).collect(),
            body: body.as_bytes().to_vec(),
            ..HookMessage::default()
        }
    }

    #[test]
    fn both_modes_say_the_same() {
        let event = json!({ "specversion": "1.0", "id": "1", "source": "/shop", "type": "order.made", "subject": "tea é",
            "time": "2026-01-01T00:00:00Z", "traceparent": "00-a", "datacontenttype": "application/json", "data": { "n": 1 } });
        let kind = [("content-type", "application/cloudevents+json; charset=utf-8")];
        let structured = read(&message(&kind, &event.to_string())).expect("an event");
        let headers = [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/shop"),
            ("ce-type", "order.made"),
            ("ce-subject", "tea %C3%A9"),
            ("ce-time", "2026-01-01T00:00:00Z"),
            ("ce-traceparent", "00-a"),
        ];
        let binary = read(&message(&headers, r#"{"n":1}"#)).expect("an event");
        assert_eq!(structured, binary);
        assert_eq!(binary.id, Some(("/shop".to_owned(), "1".to_owned())));
        assert_eq!(binary.subject.as_deref(), Some("tea é"));
        assert_eq!(binary.attributes["traceparent"], "00-a");
        assert_eq!(binary.data, json!({ "n": 1 }));
    }

    #[test]
    fn anything_else_is_taken_as_it_is() {
        let json = [("content-type", "application/json")];
        let plain = read(&message(&json, r#"{"type":"a.b","timestamp":"t","data":1}"#)).expect("a message");
        assert_eq!(
            (plain.event_type.as_deref(), plain.time.as_deref()),
            (Some("a.b"), Some("t"))
        );
        assert_eq!(plain.data["data"], 1);
        let text = read(&message(&[("content-type", "text/plain")], "hello")).expect("a message");
        assert_eq!(text.data, "hello");
        assert_eq!(read(&message(&[], "")).expect("nothing").data, Value::Null);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let kind = [("content-type", "application/cloudevents+json")];
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"specversion":"0.3","id":"1","source":"s","type":"t"}"#,
            r#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#,
            r#"{"specversion":"1.0","id":1,"source":"s","type":"t"}"#,
            r#"{"specversion":"1.0","id":"1","source":"s"}"#,
            r#"{"specversion":"1.0","id":"1","source":"s","type":"t","Bad_name":1}"#,
            r#"{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":"AA=="}"#,
            r#"{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"*"}"#,
        ] {
            assert!(read(&message(&kind, wrong)).is_err(), "{wrong}");
        }
        let batch = [("content-type", "application/cloudevents-batch+json")];
        assert!(read(&message(&batch, "[]")).is_err());
        assert!(read(&message(&[("content-type", "application/json")], "{")).is_err());
        assert!(read(&message(&[("ce-specversion", "1.0")], "1")).is_err());
    }
}
