//! Tokens, and the newest requests with what became of them.

use std::collections::{BTreeMap, VecDeque};

use mainstay_base::{Hash, Timestamp};
use mainstay_model::access::{AccessDecided, Role, TokenCreated, TokenId};
use serde::{Deserialize, Serialize};

use super::pairs;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// As whom its bearer acts.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// From when on it is worth nothing; none is never.
    pub expires: Option<Timestamp>,
    /// The hash of its secret.
    pub secret: Hash,
    /// Who made it.
    pub actor: String,
    /// When.
    pub created: Timestamp,
    /// The journal's number of it.
    pub seq: u64,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
}

impl Token {
    /// Says whether it is worth something at a time.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|e| now < e)
    }
}

/// A request that changes something, by its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The fact that it was allowed by; what it led to follows.
    pub first: u64,
    /// What was asked for.
    pub operation: String,
    /// The hash of what was asked for.
    pub asked: Option<Hash>,
    /// The fact with the answer; none if it was not answered.
    pub answer: Option<u64>,
}

/// Tokens, and the newest requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The tokens, those that are worth nothing any more too.
    #[serde(with = "pairs")]
    pub tokens: BTreeMap<TokenId, Token>,
    /// The highest token number given out.
    pub last_token: u64,
    /// The newest requests, by their keys.
    pub requests: BTreeMap<String, Asked>,
    order: VecDeque<String>,
}

impl Kept {
    /// How many requests are kept; older keys are forgotten.
    pub const REQUESTS: usize = 10_000;

    pub(super) fn decided(&mut self, seq: u64, f: AccessDecided) {
        if !f.allowed || self.requests.contains_key(&f.request) {
            return;
        }
        let asked = Asked {
            first: seq,
            operation: f.operation,
            asked: f.asked,
            answer: None,
        };
        self.requests.insert(f.request.clone(), asked);
        self.order.push_back(f.request);
        while self.order.len() > Self::REQUESTS {
            if let Some(oldest) = self.order.pop_front() {
                self.requests.remove(&oldest);
            }
        }
    }

    pub(super) fn answered(&mut self, seq: u64, request: &str) {
        if let Some(asked) = self.requests.get_mut(request) {
            asked.answer = Some(seq);
        }
    }

    pub(super) fn created(&mut self, seq: u64, time: Timestamp, actor: &str, f: TokenCreated) {
        self.last_token = self.last_token.max(f.token.0);
        let token = Token {
            name: f.name,
            role: f.role,
            expires: f.expires,
            secret: f.secret,
            actor: actor.to_owned(),
            created: time,
            seq,
            revoked: None,
        };
        self.tokens.insert(f.token, token);
    }

    pub(super) fn revoked(&mut self, time: Timestamp, token: TokenId) {
        if let Some(token) = self.tokens.get_mut(&token) {
            token.revoked.get_or_insert(time);
        }
    }
}
