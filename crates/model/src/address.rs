//! Addresses: the same on the command line, in URLs and in the journal.

use std::fmt;
use std::str::FromStr;

use crate::branch::BranchName;
use crate::id::{AmendmentId, ApplyId, DeliveryId, PlanId, RunId};
use crate::name::DatasetName;
use crate::resource::ResourceKey;
use crate::slice::{SliceKey, compare_values};

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `air.daily_delays`, `air.daily_delays@2013-02`: a dataset, its job, or some of its slices.
    Dataset(DatasetName, Selection),
    /// `run/R-12` or `R-12`.
    Run(RunId),
    /// `plan/P-9` or `P-9`.
    Plan(PlanId),
    /// `delivery/D-3` or `D-3`.
    Delivery(DeliveryId),
    /// `apply/41`.
    Apply(ApplyId),
    /// An amendment.
    Amendment(AmendmentId),
    /// A branch.
    Branch(BranchName),
    /// `source/air.flights`, `check/air.daily_delays:not_null`.
    Resource(ResourceKey),
}

/// Which slices of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// `2013-02-03`, and every slice that begins so at a `-`: `2013-02` is February's days.
    Value(String),
    /// `2013-02-01..2013-02-07`, both ends included.
    Range(String, String),
    /// `day=2013-02-03,origin=JFK`: by column; columns left out match everything.
    Columns(Vec<(String, String)>),
}

impl Selection {
    /// Says whether a slice of a dataset with these slice columns is selected.
    pub fn matches(&self, slice: &SliceKey, columns: &[String]) -> bool {
        let first = slice.0.first().map(|v| v.as_deref());
        match self {
            Self::All => true,
            Self::Value(text) => {
                first.is_some_and(|v| value_matches(v, text)) || (first.is_none() && text == "all")
            }
            Self::Range(from, to) => first.flatten().is_some_and(|v| {
                compare_values(Some(v), Some(from)).is_ge()
                    && (compare_values(Some(v), Some(to)).is_le() || value_matches(Some(v), to))
            }),
            Self::Columns(pairs) => pairs.iter().all(|(column, text)| {
                let value = columns
                    .iter()
                    .position(|c| c == column)
                    .and_then(|i| slice.0.get(i));
                value.is_some_and(|v| value_matches(v.as_deref(), text))
            }),
        }
    }
}

fn value_matches(value: Option<&str>, text: &str) -> bool {
    match value {
        None => text == "null",
        Some(v) => {
            v == text
                || v.strip_prefix(text)
                    .is_some_and(|rest| rest.starts_with(['-', ' ', 'T']))
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Value(v) => write!(f, "@{v}"),
            Self::Range(a, b) => write!(f, "@{a}..{b}"),
            Self::Columns(pairs) => {
                for (i, (c, v)) in pairs.iter().enumerate() {
                    write!(f, "{}{c}={v}", if i == 0 { '@' } else { ',' })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset(name, selection) => write!(f, "{name}{selection}"),
            Self::Run(id) => write!(f, "run/{id}"),
            Self::Plan(id) => write!(f, "plan/{id}"),
            Self::Delivery(id) => write!(f, "delivery/{id}"),
            Self::Apply(id) => write!(f, "apply/{id}"),
            Self::Amendment(id) => write!(f, "amendment/{id}"),
            Self::Branch(name) => write!(f, "branch/{name}"),
            Self::Resource(key) => key.fmt(f),
        }
    }
}

/// What is wrong with a text that should be an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address; addresses look like air.flights, air.flights@2013-02-03, run/R-12, plan/P-9, apply/41"
)]
pub struct BadAddress(pub String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(s: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(s.to_owned());
        // The value of a slice may have a `/`, too.
        let kind = s.split_once('/').filter(|(kind, _)| !kind.contains('@'));
        let (kind, rest) = kind.unwrap_or(("", s));
        match kind {
            "run" => return rest.parse().map(Self::Run).map_err(|_| bad()),
            "plan" => return rest.parse().map(Self::Plan).map_err(|_| bad()),
            "delivery" => return rest.parse().map(Self::Delivery).map_err(|_| bad()),
            "apply" => return rest.parse().map(Self::Apply).map_err(|_| bad()),
            "amendment" => return rest.parse().map(Self::Amendment).map_err(|_| bad()),
            "branch" => return rest.parse().map(Self::Branch).map_err(|_| bad()),
            "dataset" | "" => {}
            // Every kind of resource is named by its kind.
            _ => return s.parse().map(Self::Resource).map_err(|_| bad()),
        }
        if let Ok(id) = rest.parse() {
            return Ok(Self::Run(id));
        }
        if let Ok(id) = rest.parse() {
            return Ok(Self::Plan(id));
        }
        if let Ok(id) = rest.parse() {
            return Ok(Self::Delivery(id));
        }
        if let Ok(id) = rest.parse() {
            return Ok(Self::Amendment(id));
        }
        let (name, selection) = match rest.split_once('@') {
            None => (rest, Selection::All),
            Some((_, "")) => return Err(bad()),
            Some((name, slices)) => (name, selection(slices).ok_or_else(bad)?),
        };
        Ok(Self::Dataset(name.parse().map_err(|_| bad())?, selection))
    }
}

impl FromStr for Selection {
    type Err = BadAddress;

    /// Reads what stands after `@` in an address.
    fn from_str(s: &str) -> Result<Self, BadAddress> {
        selection(s).ok_or_else(|| BadAddress(s.to_owned()))
    }
}

fn selection(text: &str) -> Option<Selection> {
    if text.contains('=') {
        let pair = |p: &str| p.split_once('=').map(|(c, v)| (c.to_owned(), v.to_owned()));
        return text
            .split(',')
            .map(pair)
            .collect::<Option<_>>()
            .map(Selection::Columns);
    }
    match text.split_once("..") {
        Some(("", _) | (_, "")) => None,
        Some((from, to)) => Some(Selection::Range(from.to_owned(), to.to_owned())),
        None => Some(Selection::Value(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for s in [
            "air.flights",
            "air.flights@2013-02",
            "air.x@2013-02-01..2013-02-07",
            "air.x@day=2013-02-03,origin=JFK",
            "air.x@Europe/Berlin",
            "air.x@zone=Europe/Berlin",
            "run/R-1",
            "plan/P-9",
            "apply/41",
            "delivery/D-2",
            "amendment/A-7",
            "branch/fix-delays",
            "source/air.flights",
            "check/air.x:not_null",
        ] {
            assert_eq!(s.parse::<Address>().expect(s).to_string(), s);
        }
        assert_eq!("R-3".parse::<Address>().expect("a run"), Address::Run(RunId(3)));
        for bad in ["", "flights", "air.flights@", "run/7", "air.x@..b", "boat/x"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn months_select_their_days_and_nothing_else() {
        let day = [String::from("day")];
        let matches = |sel: &str, v: &str| {
            selection(sel)
                .expect("a selection")
                .matches(&SliceKey::of(v), &day)
        };
        assert!(matches("2013-02", "2013-02-03"));
        assert!(!matches("2013-02-0", "2013-02-03"));
        assert!(matches("2013-02..2013-03", "2013-03-31"));
        assert!(!matches("2013-02..2013-03", "2013-04-01"));
        assert!(matches("day=2013-02-03", "2013-02-03"));
        assert!(Selection::Value("null".into()).matches(&SliceKey(vec![None]), &day));
    }
}
