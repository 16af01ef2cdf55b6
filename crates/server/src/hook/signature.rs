//! Signatures of Standard Webhooks: `v1,` and the HMAC-SHA256 of `id.timestamp.body`, in base64.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use mainstay_api::{Error, ErrorKind};
use mainstay_base::Timestamp;
use sha2::Sha256;

use super::HookMessage;
use super::secret::Secret;

/// How far the time of a message may be from ours, in seconds.
const TOLERANCE: i64 = 300;

/// The longest id of a message.
const LONGEST_ID: usize = 256;

/// What says who sent a message.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) id: &'a str,
    timestamp: &'a str,
    signatures: &'a str,
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::Refused, "MS0825", format!("the message is not taken: {why}")).help(
        "sign it as https://www.standardwebhooks.com says, with the hook's secret, or send it with a token of an operator",
    )
}

pub(super) fn unsigned() -> Error {
    refused("it needs the headers webhook-id, webhook-timestamp and webhook-signature")
}

fn mac(secret: &Secret, id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).ok()?;
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

/// Signs a message: the headers that say so, with a signature by each of the secrets.
pub(crate) fn signed(id: &str, now: Timestamp, body: &[u8], secrets: &[Secret]) -> Vec<(String, String)> {
    let timestamp = now.as_micros().div_euclid(1_000_000).to_string();
    let signatures = secrets.iter().filter_map(|secret| {
        let mac = mac(secret, id, &timestamp, body)?;
        Some(format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes())))
    });
    let signatures: Vec<String> = signatures.collect();
    vec![
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-signature".to_owned(), signatures.join(" ")),
        ("webhook-timestamp".to_owned(), timestamp),
    ]
}

impl<'a> Signed<'a> {
    /// Finds the signature of a message; none if it has none at all.
    pub(super) fn of(message: &'a HookMessage) -> Option<Self> {
        Some(Self {
            id: message.header("webhook-id")?,
            timestamp: message.header("webhook-timestamp")?,
            signatures: message.header("webhook-signature")?,
        })
    }

    /// Refuses a message that was not signed by one of these secrets, or not now.
    pub(super) fn verify(&self, body: &[u8], secrets: &[Secret], now: Timestamp) -> Result<(), Error> {
        if self.id.is_empty() || self.id.len() > LONGEST_ID {
            return Err(refused("its id has 1 to 256 characters"));
        }
        let sent: i64 = self
            .timestamp
            .parse()
            .map_err(|_| refused("its webhook-timestamp is not a number of seconds since 1970"))?;
        let apart = now.as_micros().div_euclid(1_000_000).saturating_sub(sent);
        if !(-TOLERANCE..=TOLERANCE).contains(&apart) {
            return Err(refused("its time is more than five minutes from ours"));
        }
        let given = self.signatures.split_whitespace();
        let given: Vec<Vec<u8>> = given
            .filter_map(|s| BASE64.decode(s.strip_prefix("v1,")?.as_bytes()).ok())
            .collect();
        // Compared in a time that does not depend on where they differ.
        let fits = |secret: &Secret| {
            given.iter().any(|signature| {
                let mac = mac(secret, self.id, self.timestamp, body);
                mac.is_some_and(|mac| mac.verify_slice(signature).is_ok())
            })
        };
        if secrets.iter().any(fits) {
            Ok(())
        } else {
            Err(refused("none of its signatures is by the hook's secret"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own library.
    #[test]
    fn the_specifications_example() {
        let secret = Secret(
            BASE64
                .decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
                .expect("base64"),
        );
        let body = br#"{"test": 2432232314}"#;
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let message = |id: &str, time: &str| HookMessage {
            headers: vec![
                header("webhook-id", id),
                header("webhook-timestamp", time),
                header(
                    "webhook-signature",
                    "v1,AAAA v2,x v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                ),
            ],
            ..HookMessage::default()
        };
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let verify = |message: &HookMessage, now: i64, body: &[u8]| {
            let signed = Signed::of(message).expect("signed");
            let other = Secret(vec![7; 24]);
            signed.verify(body, &[other, secret.clone()], at(now)).is_ok()
        };
        let right = message("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        assert!(verify(&right, 1_614_265_330, body));
        assert!(verify(&right, 1_614_265_630, body));
        assert!(!verify(&right, 1_614_265_631, body), "too late");
        assert!(!verify(&right, 1_614_265_029, body), "too early");
        assert!(!verify(&right, 1_614_265_330, b"{}"), "another body");
        assert!(
            !verify(&message("msg_other", "1614265330"), 1_614_265_330, body),
            "another id"
        );
        let later = message("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265331");
        assert!(!verify(&later, 1_614_265_331, body), "another time");
    }
}
