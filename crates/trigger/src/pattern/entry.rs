//! One entry of a pattern's list: a value, or a comparison.

use std::net::IpAddr;

use serde_json::{Number, Value};

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    Is(Value),
    Text(Text),
    Not(Vec<Value>),
    NotText(Vec<Text>),
    Numeric(Vec<(Order, f64)>),
    Exists(bool),
    Cidr(IpAddr, u8),
}

/// What a text may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text {
    Prefix(String),
    Suffix(String),
    IgnoreCase(String),
    /// The parts between stars.
    Wildcard(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

const COMPARISONS: &str =
    "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists and cidr";

impl Entry {
    pub(super) fn new(entry: &Value) -> Result<Self, String> {
        let Value::Object(map) = entry else {
            return match entry {
                Value::Array(_) => Err("a list in a list fits nothing".to_owned()),
                plain => Ok(Self::Is(plain.clone())),
            };
        };
        let mut pairs = map.iter();
        let (Some((name, wanted)), None) = (pairs.next(), pairs.next()) else {
            return Err(format!("a comparison is one of {COMPARISONS}"));
        };
        match (name.as_str(), wanted) {
            ("exists", Value::Bool(there)) => Ok(Self::Exists(*there)),
            ("exists", _) => Err("`exists` is true or false".to_owned()),
            ("numeric", Value::Array(list)) => numeric(list).map(Self::Numeric),
            ("numeric", _) => Err("`numeric` is a list like [\">\", 0, \"<=\", 5]".to_owned()),
            ("cidr", Value::String(block)) => cidr(block)
                .map(|(ip, bits)| Self::Cidr(ip, bits))
                .ok_or_else(|| format!("`{block}` is not a block of addresses like 10.0.0.0/8")),
            ("anything-but", Value::Object(map)) => {
                let mut pairs = map.iter();
                let (Some((name, wanted)), None) = (pairs.next(), pairs.next()) else {
                    return Err("`anything-but` has one comparison".to_owned());
                };
                let list = match wanted {
                    Value::Array(list) => list.clone(),
                    one => vec![one.clone()],
                };
                let each = list.iter().map(|w| Text::new(name, w));
                each.collect::<Result<_, _>>().map(Self::NotText)
            }
            ("anything-but", Value::Array(list)) if !list.is_empty() => {
                if list.iter().any(|v| v.is_array() || v.is_object()) {
                    return Err("`anything-but` is a list of plain values".to_owned());
                }
                Ok(Self::Not(list.clone()))
            }
            ("anything-but", Value::Array(_)) => Err("`anything-but` of nothing is everything".to_owned()),
            ("anything-but", plain) => Ok(Self::Not(vec![plain.clone()])),
            (name, wanted) => Text::new(name, wanted).map(Self::Text),
        }
    }

    /// Says whether a value fits, or one of a list's; none: the field is not there.
    pub(super) fn fits(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Exists(there), value) => value.is_some_and(is_leaf) == *there,
            (_, None) => false,
            (Self::Not(_) | Self::NotText(_), Some(Value::Array(list))) => {
                !list.is_empty() && list.iter().all(|v| self.fits_one(v))
            }
            (_, Some(Value::Array(list))) => list.iter().any(|v| self.fits_one(v)),
            (_, Some(value)) => self.fits_one(value),
        }
    }

    fn fits_one(&self, value: &Value) -> bool {
        match self {
            Self::Is(wanted) => same(wanted, value),
            Self::Text(text) => value.as_str().is_some_and(|v| text.fits(v)),
            Self::Not(unwanted) => is_leaf(value) && !unwanted.iter().any(|u| same(u, value)),
            Self::NotText(unwanted) => value
                .as_str()
                .is_some_and(|v| !unwanted.iter().any(|u| u.fits(v))),
            Self::Numeric(bounds) => value
                .as_f64()
                .is_some_and(|v| bounds.iter().all(|(order, bound)| order.holds(v, *bound))),
            Self::Exists(_) => false,
            Self::Cidr(block, bits) => value
                .as_str()
                .and_then(|v| v.parse().ok())
                .is_some_and(|ip| same_block(*block, ip, *bits)),
        }
    }
}

/// A value that is not made of others; lists of them count, too.
fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(list) => !list.is_empty() && list.iter().any(is_leaf),
        _ => true,
    }
}

/// Numbers are equal by value: 5 is 5.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || float(a) == float(b),
        _ => a == b,
    }
}

fn float(n: &Number) -> Option<f64> {
    n.as_f64()
}

impl Text {
    fn new(name: &str, wanted: &Value) -> Result<Self, String> {
        let Value::String(text) = wanted else {
            return match name {
                "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => Err(format!("`{name}` is a text")),
                _ => Err(format!("`{name}` is not a comparison; there are {COMPARISONS}")),
            };
        };
        match name {
            "prefix" => Ok(Self::Prefix(text.clone())),
            "suffix" => Ok(Self::Suffix(text.clone())),
            "equals-ignore-case" => Ok(Self::IgnoreCase(text.to_lowercase())),
            "wildcard" => wildcard(text).map(Self::Wildcard),
            _ => Err(format!("`{name}` is not a comparison; there are {COMPARISONS}")),
        }
    }

    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Prefix(text) => value.starts_with(text.as_str()),
            Self::Suffix(text) => value.ends_with(text.as_str()),
            Self::IgnoreCase(text) => value.to_lowercase() == *text,
            Self::Wildcard(parts) => fits_parts(parts, value),
        }
    }
}

/// Cuts a text at its stars; `\*` and `\\` are the characters themselves.
fn wildcard(text: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = c == '\\' && matches!(chars.peek(), Some('*' | '\\'));
        match c {
            '*' if parts.len() > 1 && parts.last().is_some_and(String::is_empty) => {
                return Err("two stars next to each other are one".to_owned());
            }
            '*' => parts.push(String::new()),
            '\\' if !escaped => return Err("after `\\` comes `*` or `\\`".to_owned()),
            c => {
                let c = if escaped { chars.next().unwrap_or(c) } else { c };
                parts.last_mut().into_iter().for_each(|p| p.push(c));
            }
        }
    }
    Ok(parts)
}

/// The first part begins the text, the last ends it, the others come between in their order: each as early as can be.
fn fits_parts(parts: &[String], value: &str) -> bool {
    let [first, rest @ ..] = parts else { return false };
    let Some(mut left) = value.strip_prefix(first.as_str()) else {
        return false;
    };
    let Some((last, between)) = rest.split_last() else {
        return left.is_empty();
    };
    for part in between {
        match left.find(part.as_str()) {
            Some(at) => left = left.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    left.ends_with(last.as_str())
}

impl Order {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Equal => value.total_cmp(&bound).is_eq() || (value - bound).abs() <= 0.0,
            Self::GreaterOrEqual => value >= bound,
            Self::Greater => value > bound,
        }
    }
}

fn numeric(list: &[Value]) -> Result<Vec<(Order, f64)>, String> {
    let example = || "`numeric` is a list like [\">\", 0, \"<=\", 5]".to_owned();
    let pair = |pair: &[Value]| {
        let [Value::String(order), bound] = pair else {
            return Err(example());
        };
        let order = match order.as_str() {
            "<" => Order::Less,
            "<=" => Order::LessOrEqual,
            "=" => Order::Equal,
            ">=" => Order::GreaterOrEqual,
            ">" => Order::Greater,
            other => return Err(format!("`{other}` is none of <, <=, =, >=, >")),
        };
        bound.as_f64().map(|b| (order, b)).ok_or_else(example)
    };
    if list.is_empty() {
        return Err(example());
    }
    list.chunks(2).map(pair).collect()
}

fn cidr(block: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = block.split_once('/')?;
    let (ip, bits): (IpAddr, u8) = (ip.parse().ok()?, bits.parse().ok()?);
    let most = if ip.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some((ip, bits))
}

fn same_block(block: IpAddr, ip: IpAddr, bits: u8) -> bool {
    let (block, ip, size) = match (block, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    (block ^ ip).checked_shr(size - u32::from(bits)).unwrap_or(0) == 0
}
