//! The hash of what a query says: the same for every layout, comment, case and name of a table within it.
//!
//! The user's query is brought into a normal form and hashed as text. What the normal form does not know is hashed as it is
//! written: a change that means nothing may change the hash, a change that means something always does. Nothing of the
//! planner or the optimiser goes in, so their next version leaves the hash alone. A change of the normal form needs a new
//! [`NORMAL_FORM`].

mod expression;
mod from;
mod normal;

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::Query;
use mainstay_base::Hash;
use mainstay_base::hash::Hasher;
use mainstay_model::ColumnType;

use crate::input::{InputTable, Inputs};
use crate::parse;
use crate::problem::Problem;

/// The version of the normal form, and the domain of the hash.
pub const NORMAL_FORM: &str = "mainstay sql normal form 1";

/// Hashes a query. The inputs' columns matter only where a name could be a table's or a struct's.
///
/// # Errors
///
/// The text is not one query.
pub fn fingerprint(sql: &str, inputs: &dyn Inputs) -> Result<Hash, Vec<Problem>> {
    let query = parse::parse(sql)?;
    let references = parse::references_of(&query)?;
    let tables: Vec<InputTable> = references.iter().filter_map(|r| inputs.table(&r.name)).collect();
    Ok(of(&query, structs(&tables)))
}

/// The names of the columns of tables that hold structs.
pub(crate) fn structs<'a>(tables: impl IntoIterator<Item = &'a InputTable>) -> BTreeSet<String> {
    let columns = tables.into_iter().flat_map(|t| &t.schema.0);
    columns
        .filter(|c| holds_struct(&c.column_type))
        .map(|c| c.name.clone())
        .collect()
}

/// Hashes a parsed query whose inputs have structs in the columns of these names.
pub(crate) fn of(query: &Query, structs: BTreeSet<String>) -> Hash {
    let mut hasher = Hasher::new(NORMAL_FORM);
    match normal::normal_form(query, structs) {
        Some(normal) => hasher.field(b"normal").field(normal.as_bytes()),
        None => hasher.field(b"as written").field(query.to_string().as_bytes()),
    };
    hasher.finish()
}

fn holds_struct(t: &ColumnType) -> bool {
    matches!(t, ColumnType::Struct(_) | ColumnType::Map(..))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn hash(sql: &str) -> Hash {
        fingerprint(sql, &BTreeMap::new()).expect(sql)
    }

    #[test]
    fn how_it_is_written_does_not_matter() {
        for same in [
            &[
                "SELECT day, sum(x) AS s FROM air.f WHERE x > 3 GROUP BY day",
                "select  DAY,\n SUM(x)  s -- why\nfrom air.F where (x>3) group by /* c */ day;",
            ][..],
            &[
                "SELECT f.day AS day FROM air.f AS f WHERE f.x <> 1",
                "SELECT g.day FROM air.f g WHERE (g.x != 1)",
                "SELECT day FROM air.f WHERE x <> 1",
                "SELECT f.day FROM air.f WHERE air.f.x <> 1",
                "SELECT f.day FROM main.air.f WHERE f.x <> 1",
            ],
            &[
                "WITH a AS (SELECT x FROM s.t), b AS (SELECT x FROM a) SELECT b.x FROM b JOIN a ON b.x = a.x",
                "WITH q AS (SELECT x FROM s.t), w AS (SELECT x FROM q) SELECT l.x FROM w AS l INNER JOIN q r ON (l.x = r.x)",
            ],
            &[
                "SELECT x FROM s.t o WHERE EXISTS (SELECT 1 FROM s.u i WHERE i.k = o.k)",
                "SELECT x FROM s.t a WHERE EXISTS (SELECT 1 FROM s.u b WHERE b.k = a.k)",
            ],
            &[
                "SELECT a + (b * c) AS x FROM s.t",
                "SELECT (a + b * c) x FROM s.t",
                "SELECT \"a\" + b * c AS \"x\" FROM \"s\".\"t\"",
            ],
            &[
                "SELECT x::int AS x FROM s.t",
                "SELECT CAST(x AS INT) AS x FROM s.t",
            ],
            &[
                "(SELECT x FROM s.t) UNION (SELECT x FROM s.u)",
                "SELECT x FROM s.t UNION DISTINCT SELECT x FROM s.u",
            ],
            &[
                "SELECT x FROM s.t LEFT JOIN s.u ON t.k = u.k ORDER BY x",
                "SELECT x FROM s.t AS u LEFT OUTER JOIN s.u AS t ON u.k = t.k ORDER BY x ASC",
            ],
        ] {
            for one in same {
                assert_eq!(hash(one), hash(same[0]), "{one}");
            }
        }
    }

    #[test]
    fn what_it_says_matters() {
        let all = [
            "SELECT a, b FROM s.t",
            "SELECT b, a FROM s.t",
            "SELECT a, b AS c FROM s.t",
            "SELECT a, b FROM s.u",
            "SELECT a, \"B\" FROM s.t",
            "SELECT DISTINCT a, b FROM s.t",
            "SELECT a, b FROM s.t WHERE a = 1",
            "SELECT a, b FROM s.t WHERE a = 2",
            "SELECT a, b FROM s.t WHERE a < 1",
            "SELECT a, b FROM s.t WHERE a = '1'",
            "SELECT a, b FROM s.t WHERE a = 1 AND b = 1 OR c = 1",
            "SELECT a, b FROM s.t WHERE a = 1 AND (b = 1 OR c = 1)",
            "SELECT a, b FROM s.t ORDER BY a",
            "SELECT a, b FROM s.t ORDER BY a DESC",
            "SELECT a, b FROM s.t ORDER BY a LIMIT 3",
            "SELECT a - (b - c) AS x FROM s.t",
            "SELECT a - b - c AS x FROM s.t",
            "SELECT a FROM s.t UNION SELECT a FROM s.u INTERSECT SELECT a FROM s.v",
            "(SELECT a FROM s.t UNION SELECT a FROM s.u) INTERSECT SELECT a FROM s.v",
            "SELECT a FROM s.t UNION ALL SELECT a FROM s.u",
            "SELECT x.a FROM s.t x JOIN s.t y ON x.k = y.k",
            "SELECT y.a FROM s.t x JOIN s.t y ON x.k = y.k",
            "SELECT x.a FROM s.t x LEFT JOIN s.t y ON x.k = y.k",
            // An alias in ORDER BY is the output column, a qualified name the table's.
            "SELECT -a AS a FROM s.t AS t ORDER BY a",
            "SELECT -a AS a FROM s.t AS t ORDER BY t.a",
            // A name in WITH hides another of the same name only after itself.
            "WITH a AS (SELECT 1 AS x), b AS (SELECT 2 AS x) SELECT x FROM (WITH a AS (SELECT * FROM a) SELECT * FROM a)",
            "WITH a AS (SELECT 1 AS x), b AS (SELECT 2 AS x) SELECT x FROM (WITH b AS (SELECT * FROM b) SELECT * FROM b)",
            // In a derived table a neighbour's name is that of a table further out.
            "SELECT (SELECT max(d.x) FROM s.u f, (SELECT f.a AS x) d) AS m FROM s.t f, s.v g",
            "SELECT (SELECT max(d.x) FROM s.u g, (SELECT g.a AS x) d) AS m FROM s.t f, s.v g",
        ];
        for (i, one) in all.iter().enumerate() {
            for other in &all[..i] {
                assert_ne!(hash(one), hash(other), "{one}\n{other}");
            }
        }
    }
}
