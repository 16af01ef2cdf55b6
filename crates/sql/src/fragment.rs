//! Expressions that people write to stand in a query of ours.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// What the words and brackets of an expression say before it is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Whether it stays within brackets around it: none is closed that it did not open, and none stays open. What cannot be
    /// taken apart cannot be planned either, and planning says why.
    pub is_enclosed: bool,
    /// Whether it says OVER: a window sees other rows than its own.
    pub has_window: bool,
}

impl Fragment {
    /// Looks at an expression.
    pub fn of(text: &str) -> Self {
        let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize();
        let (mut depth, mut closed, mut has_window) = (0_i64, false, false);
        for token in tokens.unwrap_or_default() {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                Token::Word(word) => {
                    has_window |= word.keyword == Keyword::OVER && word.quote_style.is_none()
                }
                _ => {}
            }
            closed |= depth < 0;
        }
        Self {
            is_enclosed: depth == 0 && !closed,
            has_window,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_where_they_are_brackets() {
        for text in [
            "(a + 1) * b",
            "a = ')'",
            "\"x)\" > 1",
            "a -- )\n + 1",
            "a /* ) */ + 1",
            "a /* /* ) */ ) */ + 1",
            "'it''s :)'",
            "$$ ) $$ = a",
            "",
        ] {
            assert!(Fragment::of(text).is_enclosed, "{text}");
        }
        for text in ["true) OR (true", "1) AS x, (2", "(a", "a)", "')' )"] {
            assert!(!Fragment::of(text).is_enclosed, "{text}");
        }
    }

    #[test]
    fn a_window_is_seen_where_it_is_one() {
        assert!(Fragment::of("sum(a) OVER (PARTITION BY b)").has_window);
        for text in ["a = 'game over' -- over", "\"over\" > 1", "overtime > 1"] {
            assert!(!Fragment::of(text).has_window, "{text}");
        }
    }
}
