//! Where a journal is in PostgreSQL: the URL taken apart, and put together again without its password.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::Tls;
use crate::error::Error;

/// The schema that has the tables unless the URL says otherwise.
const SCHEMA: &str = "mainstay";
/// How long a server may take to accept a connection unless the URL says otherwise.
const CONNECTING: Duration = Duration::from_secs(10);

/// A journal's address: which server, as whom, which database, which schema in it.
#[derive(Clone)]
pub struct Address {
    config: Config,
    schema: String,
    tls: Tls,
    shown: String,
}

impl Address {
    /// Says whether a text is such an address.
    pub fn is_one(url: &str) -> bool {
        rest(url).is_some()
    }

    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=…&sslmode=…&sslrootcert=…`. `password` is for a URL without
    /// one. Other options are those of PostgreSQL's URLs.
    ///
    /// # Errors
    /// `Invalid` if it is no such URL or has an option that is not known, `Unavailable` if a certificate cannot be read.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self, Error> {
        let rest = rest(url).ok_or_else(|| Error::invalid("a journal's URL begins with postgres://"))?;
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut schema, mut mode, mut authority) = (SCHEMA, None, None);
        let (mut passed, mut shown) = (Vec::new(), Vec::new());
        for option in options.split('&').filter(|o| !o.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "schema" => schema = value,
                "sslmode" => mode = Some(value),
                "sslrootcert" => authority = Some(PathBuf::from(decoded(value))),
                _ => passed.push(option),
            }
            if name != "password" {
                shown.push(option);
            }
        }
        check_schema(schema)?;
        let text = format!("postgresql://{place}?{}", passed.join("&"));
        let mut config: Config = text
            .parse()
            .map_err(|e| Error::invalid("the journal's URL cannot be read").with_source(e))?;
        if let (None, Some(password)) = (config.get_password(), password) {
            config.password(password);
        }
        config.ssl_mode(encryption(mode, &config)?);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECTING);
        }
        if config.get_application_name().is_none() {
            config.application_name("mainstay");
        }
        let mark = if shown.is_empty() { "" } else { "?" };
        let shown = format!("postgres://{}{mark}{}", without_password(place), shown.join("&"));
        Ok(Self {
            config,
            schema: schema.to_owned(),
            tls: Tls::new(authority),
            shown,
        })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }
}

/// The URL without its password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

fn rest(url: &str) -> Option<&str> {
    url.strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
}

/// Returns `USER@HOST/DATABASE` of `USER:PASSWORD@HOST/DATABASE`.
fn without_password(place: &str) -> String {
    let slash = place.find('/').unwrap_or(place.len());
    let (server, database) = place.split_at_checked(slash).unwrap_or((place, ""));
    match server.rsplit_once('@') {
        None => place.to_owned(),
        Some((who, host)) => {
            let user = who.split(':').next().unwrap_or_default();
            format!("{user}@{host}{database}")
        }
    }
}

/// A schema's name stands in statements, between quotes: it may be a word of SQL's own.
fn check_schema(schema: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fits = schema.len() <= 63
        && schema.chars().all(plain)
        && schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{schema}` is no name for a journal's schema: lower-case letters, digits and `_`"
    )))
}

/// Whether the connection is encrypted. What is not said depends on where the server is: on this machine it is plain, from
/// anywhere else it is encrypted and the server has to prove who it is.
fn encryption(mode: Option<&str>, config: &Config) -> Result<SslMode, Error> {
    match mode {
        Some("disable") => Ok(SslMode::Disable),
        Some("prefer") => Ok(SslMode::Prefer),
        Some("require" | "verify-ca" | "verify-full") => Ok(SslMode::Require),
        Some(other) => Err(Error::invalid(format!(
            "`sslmode={other}` is not known: disable, prefer, require, verify-ca and verify-full are"
        ))),
        None if config.get_hosts().iter().all(is_here) => Ok(SslMode::Disable),
        None => Ok(SslMode::Require),
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    }
}

/// Replaces `%2F` and the like by what they stand for.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .filter(|_| *byte == b'%')
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        out.push(hex.unwrap_or(*byte));
        rest = after.get(if hex.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn address(url: &str) -> Address {
        Address::parse(url, None).expect("an address")
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        for (url, shown) in [
            (
                "postgres://ana:s3cret@db.example:5433/prod",
                "postgres://ana@db.example:5433/prod",
            ),
            (
                "postgresql://ana:s3%40cret@db.example/prod?schema=lake&connect_timeout=3",
                "postgres://ana@db.example/prod?schema=lake&connect_timeout=3",
            ),
            (
                "postgres://db.example/prod?password=s3cret",
                "postgres://db.example/prod",
            ),
            (
                "postgres://ana:s3@cret@db.example/prod",
                "postgres://ana@db.example/prod",
            ),
        ] {
            let address = address(url);
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("cret"), "{address:?}");
        }
        let told = Address::parse("postgres://ana@db.example/prod", Some("s3cret")).expect("an address");
        assert_eq!(told.config().get_password(), Some(b"s3cret".as_slice()));
        assert!(!format!("{told:?} {told}").contains("s3cret"));
        let own = Address::parse("postgres://ana:mine@db.example/prod", Some("s3cret")).expect("an address");
        assert_eq!(
            own.config().get_password(),
            Some(b"mine".as_slice()),
            "the URL's own goes first"
        );
        let bad =
            Address::parse("postgres://ana:s3cret@db.example/prod?colour=red", None).expect_err("an option");
        assert!(!format!("{bad:?} {bad}").contains("s3cret"), "{bad:?}");
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted() {
        for (url, mode) in [
            ("postgres://localhost/x", SslMode::Disable),
            ("postgres://127.0.0.1:5433/x", SslMode::Disable),
            ("postgres://%2Frun%2Fpostgresql/x", SslMode::Disable),
            ("postgres://db.example/x", SslMode::Require),
            ("postgres://localhost,db.example/x", SslMode::Require),
            ("postgres://db.example/x?sslmode=disable", SslMode::Disable),
            ("postgres://localhost/x?sslmode=verify-full", SslMode::Require),
        ] {
            assert_eq!(address(url).config().get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (url, words) in [
            ("mysql://localhost/x", "begins with postgres://"),
            (
                "postgres://localhost/x?sslmode=maybe",
                "`sslmode=maybe` is not known",
            ),
            (
                "postgres://localhost/x?schema=My",
                "`My` is no name for a journal's schema",
            ),
            (
                "postgres://localhost/x?schema=a;drop",
                "is no name for a journal's schema",
            ),
        ] {
            let e = Address::parse(url, None).expect_err("a mistake");
            assert_eq!(e.kind(), Kind::Invalid);
            assert!(e.to_string().contains(words), "{e}");
        }
        assert_eq!(address("postgres://localhost/x").schema(), "mainstay");
        assert_eq!(decoded("%2Fetc%2fca.pem%"), "/etc/ca.pem%");
    }
}
