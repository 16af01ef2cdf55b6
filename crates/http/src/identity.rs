//! Who somebody is: the bearer of a token, or the user at the other end of the home's socket.

use axum::http::{HeaderMap, header};
use mainstay_api::{Error, ErrorKind, TokenReport};
use mainstay_base::{Hash, Timestamp};
use mainstay_model::Role;
use mainstay_policy::Principal;
use mainstay_server::{Instance, NewToken};

use crate::app::App;

/// What secrets begin with, so that they can be recognised where they should not be.
pub(crate) const PREFIX: &str = "mst_";

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of this user, on the home's socket.
    User(u32),
    /// Somebody on the network.
    Network {
        /// Whether that is this machine, too.
        local: bool,
    },
}

impl Peer {
    pub(crate) const fn is_local(self) -> bool {
        matches!(self, Self::User(_) | Self::Network { local: true })
    }
}

/// Makes a new secret.
fn secret() -> Result<String, Error> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|e| {
        Error::new(
            ErrorKind::Unavailable,
            "MS0607",
            format!("the machine gives no random numbers: {e}"),
        )
    })?;
    let text = data_encoding::BASE32_NOPAD.encode(&random).to_lowercase();
    Ok(format!("{PREFIX}{text}"))
}

/// What is kept of a secret. It has 256 random bits, so that its plain hash can be undone by nobody.
pub(crate) fn hashed(secret: &str) -> Hash {
    Hash::of(format!("mainstay token\n{secret}").as_bytes())
}

/// Makes a token in a home that is open here; its secret is in the answer, and nowhere else.
///
/// # Errors
///
/// `Invalid` for a name or an expiry that makes no sense.
pub fn new_token(
    instance: &Instance,
    name: &str,
    role: Role,
    expires: Option<Timestamp>,
) -> Result<TokenReport, Error> {
    let secret = secret()?;
    let mut report = instance.create_token(NewToken {
        name: name.to_owned(),
        role,
        expires,
        secret: hashed(&secret),
    })?;
    report.secret = Some(secret);
    Ok(report)
}

/// Says who asks, and as whom that is recorded.
///
/// # Errors
///
/// `MS0802` if that is nobody.
pub(crate) fn identify(app: &App, peer: Peer, headers: &HeaderMap) -> Result<(Principal, String), Error> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return match peer {
            Peer::User(uid) if uid == app.owner => Ok((
                Principal {
                    id: format!("uid/{uid}"),
                    account: app.account.clone(),
                    role: Some(Role::Owner),
                    owns_home: true,
                    local: true,
                },
                user(uid),
            )),
            Peer::User(uid) => Err(nobody(&format!(
                "user {uid} does not own this home and has no token"
            ))),
            Peer::Network { .. } => Err(nobody("the request has no token")),
        };
    };
    let text = value.to_str().unwrap_or_default();
    let (scheme, secret) = text.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(nobody("the header Authorization is not `Bearer TOKEN`"));
    }
    let bearer = app.instance.bearer(&hashed(secret.trim()));
    let who = bearer.ok_or_else(|| nobody("the token is not known, has expired or was taken back"))?;
    Ok((
        Principal {
            id: format!("token/{}/{}", who.account, who.token),
            account: who.account,
            role: Some(who.role),
            owns_home: false,
            local: peer.is_local(),
        },
        who.name,
    ))
}

/// Nobody in particular, who may ask whether the server is there.
pub(crate) fn anybody(app: &App, peer: Peer) -> (Principal, String) {
    let principal = Principal {
        id: "nobody".to_owned(),
        account: app.account.clone(),
        role: None,
        owns_home: false,
        local: peer.is_local(),
    };
    (principal, "nobody".to_owned())
}

fn nobody(why: &str) -> Error {
    Error::new(ErrorKind::Refused, "MS0802", format!("nobody is known to ask: {why}"))
        .help("`mainstay token create` makes a token; give it in MAINSTAY_TOKEN, or in the header Authorization: Bearer TOKEN")
}

/// The name of a user of this machine.
fn user(uid: u32) -> String {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut names = known.lines().filter_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    names.next().unwrap_or_else(|| format!("uid-{uid}"))
}
