//! The hash of a query does not change with the way it is written, and changes with what it says.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use mainstay_sql::fingerprint;
use proptest::prelude::*;

use crate::cases::CASES;
use crate::run::Numbers;
use crate::shop;

/// Queries with `{a}`, `{b}`, `{c}` for names of tables inside them.
const TEMPLATES: &[&str] = &[
    "SELECT {a}.ds, {a}.id, {b}.n FROM shop.orders {a} LEFT JOIN shop.clicks AS {b} ON {a}.ds = {b}.ds AND {a}.cust = {b}.cust WHERE {a}.amount > 3",
    "WITH {a} AS (SELECT ds, sum(amount) AS total FROM shop.orders {b} WHERE {b}.id > 7 GROUP BY ds), {c} AS (SELECT * FROM {a}) SELECT {a}.ds, {a}.total + 1 AS t FROM {a} JOIN {c} ON {a}.ds = {c}.ds ORDER BY {a}.ds",
    "SELECT {a}.ds FROM shop.orders {a} WHERE EXISTS (SELECT 1 FROM shop.clicks {b} WHERE {b}.ds = {a}.ds AND {b}.n IN (SELECT {c}.seen FROM shop.views {c} WHERE {c}.cust = {a}.cust))",
    "SELECT {a}.ds, {a}.m FROM (SELECT ds, max(amount) AS m FROM shop.orders GROUP BY ds) {a} UNION ALL (SELECT {b}.ds, {b}.n * (2 + 3) FROM shop.clicks {b})",
    "SELECT {a}.id, row_number() OVER (PARTITION BY {a}.ds ORDER BY {a}.ts DESC) AS r, CASE WHEN {a}.amount BETWEEN 1 AND 5 THEN 'low' ELSE 'high' END AS level FROM shop.orders {a}",
];

fn named(template: &str, names: [&str; 3]) -> String {
    template
        .replace("{a}", names[0])
        .replace("{b}", names[1])
        .replace("{c}", names[2])
}

/// Writes a query with other space, comments and case.
fn rewritten(sql: &str, seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let mut out = String::new();
    for token in Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap() {
        match token {
            Token::Whitespace(_) => out.push_str(
                [" ", "\n\t", " -- a comment, 'quoted\n", " /* another */ ", "  "]
                    [usize::try_from(numbers.below(5)).unwrap()],
            ),
            Token::Word(word) if word.quote_style.is_none() => {
                let text = match numbers.below(4) {
                    0 => word.value.to_uppercase(),
                    1 => word.value.to_lowercase(),
                    2 => word
                        .value
                        .chars()
                        .enumerate()
                        .map(|(i, c)| {
                            if i % 2 == 0 {
                                c.to_ascii_uppercase()
                            } else {
                                c.to_ascii_lowercase()
                            }
                        })
                        .collect(),
                    _ => word.value,
                };
                out.push_str(&text);
            }
            other => out.push_str(&other.to_string()),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn layout_comments_case_and_names_do_not_matter(
        which in 0..TEMPLATES.len(), seed: u64,
        names in proptest::sample::subsequence(vec!["x", "y", "z", "orders", "clicks", "t_1", "\"Quoted\""], 3).prop_shuffle(),
    ) {
        let inputs = shop::inputs();
        let plain = named(TEMPLATES[which], ["u", "v", "w"]);
        let other = rewritten(&named(TEMPLATES[which], [names[0], names[1], names[2]]), seed);
        let wanted = fingerprint(&plain, &inputs).unwrap();
        let found = fingerprint(&other, &inputs);
        prop_assert!(found.is_ok(), "{}", other);
        prop_assert_eq!(found.unwrap(), wanted, "{}\n{}", plain, other);
    }

    /// One literal, name or operator changed in a query is another query.
    #[test]
    fn one_changed_token_matters(which in 0..CASES.len(), at: prop::sample::Index) {
        let inputs = shop::inputs();
        let tokens = Tokenizer::new(&GenericDialect {}, CASES[which].sql).tokenize().unwrap();
        let changes: Vec<(usize, Token)> = tokens.iter().enumerate().filter_map(|(i, t)| Some((i, changed(t)?))).collect();
        prop_assume!(!changes.is_empty());
        let (place, token) = changes[at.index(changes.len())].clone();
        let other: String = tokens.iter().enumerate().map(|(i, t)| if i == place { token.to_string() } else { t.to_string() }).collect();
        let before = fingerprint(CASES[which].sql, &inputs).unwrap();
        // What cannot be read any more has no hash.
        if let Ok(after) = fingerprint(&other, &inputs) {
            prop_assert_ne!(after, before, "{}\n{}", CASES[which].sql, other);
        }
    }
}

fn changed(token: &Token) -> Option<Token> {
    Some(match token {
        Token::Number(n, long) => Token::Number(format!("{n}1"), *long),
        Token::SingleQuotedString(s) => Token::SingleQuotedString(format!("{s}1")),
        Token::Eq => Token::Neq,
        Token::Lt => Token::LtEq,
        Token::Gt => Token::GtEq,
        Token::Plus => Token::Minus,
        Token::Minus => Token::Plus,
        Token::Word(w)
            if [
                "amount", "cust", "id", "n", "seen", "sum", "min", "rank", "orders", "clicks",
            ]
            .contains(&w.value.as_str()) =>
        {
            Token::make_word(&format!("{}x", w.value), None)
        }
        _ => return None,
    })
}

#[test]
fn different_queries_have_different_hashes() {
    let inputs = shop::inputs();
    let mut seen = std::collections::BTreeMap::new();
    for case in CASES {
        let hash = fingerprint(case.sql, &inputs).unwrap();
        if let Some(other) = seen.insert(hash, case.sql) {
            assert_eq!(other, case.sql);
        }
    }
}
