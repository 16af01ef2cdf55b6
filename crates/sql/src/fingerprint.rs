//! The hash of a query's normal form (first version below).
use datafusion::sql::sqlparser::ast::Query;
use mainstay_base::Hash;
use mainstay_base::hash::Hasher;
use crate::parse;
use crate::problem::Problem;

/// The version of the normal form, the domain of the hash.
pub const NORMAL_FORM: &str = "mainstay/sql/normal-form/1";

/// Hashes a query.
pub fn fingerprint(sql: &str) -> Result<Hash, Vec<Problem>> {
    parse::parse(sql).map(|q| of(&q))
}

pub(crate) fn of(query: &Query) -> Hash {
    Hasher::new(NORMAL_FORM).field(query.to_string().as_bytes()).finish()
}
