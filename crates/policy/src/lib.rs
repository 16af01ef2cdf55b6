//! Who may do what: a question in, a decision with the policies that made it out.
//!
//! Owns the policies and their schema (Cedar), and nothing else: no tokens, no HTTP, no clock. Whatever no policy permits is
//! denied, and a policy that cannot be evaluated denies, too. The same question has the same answer.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use mainstay_model::Role;

/// The policies that every installation has.
const POLICIES: &str = include_str!("policies.cedar");

/// What they may speak of.
const SCHEMA: &str = include_str!("schema.cedarschema");

/// What an operation does, which decides who may ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Says whether the server is there and ready.
    Health,
    /// Says that something happened; whether that is believed is decided by its signature.
    Knock,
    /// Looks.
    Read,
    /// Changes resources or data of the account.
    Operate,
    /// Changes or shows who may do what in the account.
    Own,
    /// Concerns the whole installation.
    Install,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 6] = [
        Self::Health,
        Self::Knock,
        Self::Read,
        Self::Operate,
        Self::Own,
        Self::Install,
    ];

    /// Returns its name in the policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Knock => "knock",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Own => "own",
            Self::Install => "install",
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `token/main/T-3` or `uid/1000`: nobody else is called that.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// Its role there; none for nobody.
    pub role: Option<Role>,
    /// Whether the home with everything in it is its own.
    pub owns_home: bool,
    /// Whether it is on the server's own machine.
    pub local: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What an operation of the API does.
    pub class: Class,
    /// In which account.
    pub account: &'a str,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policies that decided, in the order of their names; none if nothing permits it.
    pub policies: Vec<String>,
}

/// Why policies cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the policies cannot be used: {0}")]
pub struct Error(String);

/// The policies, ready to decide.
#[derive(Debug)]
pub struct Policies {
    set: PolicySet,
    schema: Schema,
    authorizer: Authorizer,
}

fn unusable(e: impl std::fmt::Display) -> Error {
    Error(e.to_string())
}

impl Policies {
    /// Reads the policies that every installation has.
    ///
    /// # Errors
    ///
    /// If they cannot be read or do not fit their schema.
    pub fn standard() -> Result<Self, Error> {
        Self::read(POLICIES)
    }

    /// Reads policies; each is called what its annotation `@id` says.
    ///
    /// # Errors
    ///
    /// If they cannot be read, do not fit the schema, or one has no name of its own.
    pub fn read(text: &str) -> Result<Self, Error> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(unusable)?;
        let mut set = PolicySet::new();
        for policy in PolicySet::from_str(text).map_err(unusable)?.policies() {
            let name = policy
                .annotation("id")
                .ok_or_else(|| Error(format!("{} has no @id", policy.id())))?;
            set.add(policy.new_id(PolicyId::new(name))).map_err(unusable)?;
        }
        let found = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        if let Some(wrong) = found.validation_errors().next() {
            return Err(unusable(wrong));
        }
        Ok(Self {
            set,
            schema,
            authorizer: Authorizer::new(),
        })
    }

    /// Decides.
    ///
    /// # Errors
    ///
    /// If the question cannot be put, which no question of these types should lead to.
    pub fn decide(&self, question: &Question<'_>) -> Result<Answer, Error> {
        let who = question.principal;
        let principal = uid("Principal", &who.id)?;
        let role = who.role.map(|r| uid("Role", r.name())).transpose()?;
        let (own, asked) = (uid("Account", &who.account)?, uid("Account", question.account)?);
        let action = uid("Action", question.class.name())?;
        let attributes = HashMap::from([
            (
                "account".to_owned(),
                RestrictedExpression::new_entity_uid(own.clone()),
            ),
            (
                "owns_home".to_owned(),
                RestrictedExpression::new_bool(who.owns_home),
            ),
            ("local".to_owned(), RestrictedExpression::new_bool(who.local)),
        ]);
        let person =
            Entity::new(principal.clone(), attributes, role.iter().cloned().collect()).map_err(unusable)?;
        let mut entities = vec![person];
        entities.extend(role.map(|role| Entity::new_no_attrs(role, HashSet::new())));
        entities.extend(
            HashSet::from([own, asked.clone()])
                .into_iter()
                .map(|account| Entity::new_no_attrs(account, HashSet::new())),
        );
        let entities = Entities::from_entities(entities, Some(&self.schema)).map_err(unusable)?;
        let request =
            Request::new(principal, action, asked, Context::empty(), Some(&self.schema)).map_err(unusable)?;
        let response = self.authorizer.is_authorized(&request, &self.set, &entities);
        // A policy that fails is left out by Cedar; one that forbids must not get lost like that.
        let failed = response.diagnostics().errors().next().is_some();
        let mut policies: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        policies.sort();
        Ok(Answer {
            allowed: response.decision() == Decision::Allow && !failed,
            policies,
        })
    }
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Error> {
    let kind = EntityTypeName::from_str(kind).map_err(unusable)?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

#[cfg(test)]
mod tests;
