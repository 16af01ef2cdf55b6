//! S3-like servers, with what the environment says.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};
use url::Url;

use crate::error::{Error, Result};
use crate::location::Environment;

/// How long a connection may take, and how long a request may: the first as text that the client reads.
const CONNECT_TIMEOUT: &str = "2 seconds";
const REQUEST_TIMEOUT: &str = "30 seconds";

/// Few tries in little time: an unreachable store answers within ten seconds, and what is worth more patience is tried again
/// by the run that needs it.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: Duration::from_secs(7),
    }
}

/// Connects to the bucket of an `s3://bucket/…` URL. Nothing is sent yet.
///
/// Read from the environment: every `AWS_` variable that the client knows (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
/// `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, `AWS_ALLOW_HTTP`, web
/// identity and container credentials…), and, without a key there, the profile `AWS_PROFILE` of the shared credentials file.
pub(crate) fn connect(url: &Url, env: &Environment) -> Result<AmazonS3> {
    let place = url.as_str();
    let bucket = url.host_str().filter(|h| !h.is_empty());
    let bucket = bucket.ok_or_else(|| Error::invalid("open", place, "the name of the bucket is missing"))?;
    let mut builder = AmazonS3Builder::new();
    for (name, value) in env.iter().filter(|(name, _)| name.starts_with("AWS_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    builder = builder.with_bucket_name(bucket).with_retry(retries());
    for (variable, key, value) in [
        (
            "AWS_CONNECT_TIMEOUT",
            ClientConfigKey::ConnectTimeout,
            CONNECT_TIMEOUT,
        ),
        ("AWS_TIMEOUT", ClientConfigKey::Timeout, REQUEST_TIMEOUT),
    ] {
        if !env.contains_key(variable) {
            builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
        }
    }
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .iter()
        .find_map(|v| env.get(*v));
    if let Some(endpoint) = endpoint {
        // An endpoint of one's own is addressed by path; plain HTTP needs AWS_ALLOW_HTTP unless it stays on this machine.
        builder = builder.with_virtual_hosted_style_request(flag(env, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"));
        if is_loopback(endpoint) {
            builder = builder.with_allow_http(true);
        }
    }
    if !env.contains_key("AWS_ACCESS_KEY_ID") && !env.contains_key("AWS_WEB_IDENTITY_TOKEN_FILE") {
        let profile = env.get("AWS_PROFILE").map_or("default", String::as_str);
        let text = credentials_file(env)
            .and_then(|f| fs::read_to_string(f).ok())
            .unwrap_or_default();
        for (name, value) in profile_settings(&text, profile) {
            builder = match name {
                "aws_access_key_id" => builder.with_access_key_id(value),
                "aws_secret_access_key" => builder.with_secret_access_key(value),
                "aws_session_token" => builder.with_token(value),
                "region" if !env.contains_key("AWS_REGION") => builder.with_region(value),
                _ => builder,
            };
        }
    }
    builder.build().map_err(|e| Error::new("open", place, e))
}

fn flag(env: &Environment, name: &str) -> bool {
    env.get(name)
        .is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
}

fn is_loopback(endpoint: &str) -> bool {
    let host = Url::parse(endpoint)
        .ok()
        .and_then(|u| u.host_str().map(str::to_owned));
    host.is_some_and(|h| h == "localhost" || h == "[::1]" || h.starts_with("127."))
}

fn credentials_file(env: &Environment) -> Option<PathBuf> {
    let named = env.get("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    named.or_else(|| {
        env.get("HOME")
            .map(|home| PathBuf::from(home).join(".aws/credentials"))
    })
}

/// Reads the settings of one profile of a credentials file.
fn profile_settings<'a>(text: &'a str, profile: &str) -> Vec<(&'a str, &'a str)> {
    let mut inside = false;
    let mut out = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            inside = name.trim() == profile;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            out.push((key.trim(), value.trim()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_profile_of_the_file_is_read() {
        let text = "[default]\naws_access_key_id = A\n# x = y\n\n[ops]\naws_access_key_id=B\naws_secret_access_key = s/=\n";
        assert_eq!(profile_settings(text, "default"), [("aws_access_key_id", "A")]);
        assert_eq!(
            profile_settings(text, "ops"),
            [("aws_access_key_id", "B"), ("aws_secret_access_key", "s/=")]
        );
        assert!(profile_settings(text, "none").is_empty());
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        assert!(
            is_loopback("http://127.0.0.1:5000")
                && is_loopback("http://localhost:1")
                && is_loopback("http://[::1]:1")
        );
        assert!(!is_loopback("http://storage.example.org"));
    }
}
