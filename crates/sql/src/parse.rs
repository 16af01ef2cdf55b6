//! Text to one parsed query, and the datasets that it names.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use mainstay_model::{DEFAULT_ACCOUNT, DatasetName};

use crate::ast;
use crate::precedence;
use crate::problem::{
    Location, NOT_A_QUERY, NOT_SUPPORTED, Problem, SYNTAX, Span, UNKNOWN_DATASET, in_order,
};

/// A dataset that a query names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Which.
    pub name: DatasetName,
    /// Where it is named.
    pub span: Option<Span>,
}

/// Parses one query.
///
/// # Errors
///
/// The text is no SQL, no query, or more than one.
pub(crate) fn parse(sql: &str) -> Result<Query, Vec<Problem>> {
    let dialect = GenericDialect {};
    if let Some(start) = endless_chain(sql) {
        let problem = Problem::new(
            SYNTAX,
            format!("more than {LONGEST_CHAIN} operators stand in one expression"),
        );
        let help = "write a long list of values with IN, or keep them in a dataset and join it";
        return Err(vec![problem.at(Some((start, start))).help(help)]);
    }
    let parser = Parser::new(&dialect).with_recursion_limit(200).try_with_sql(sql);
    let mut statements = parser
        .and_then(|mut p| p.parse_statements())
        .map_err(|e| vec![syntax(&e, sql)])?;
    let first = if statements.len() > 1 {
        None
    } else {
        statements.pop()
    };
    let query = match first {
        Some(Statement::Query(mut query)) => {
            precedence::mend(&mut query);
            *query
        }
        Some(other) => return Err(vec![not_a_query(&other).at(first_word(sql))]),
        None if statements.is_empty() => {
            return Err(vec![
                Problem::new(NOT_A_QUERY, "there is no query in it").help("write a SELECT"),
            ]);
        }
        None => {
            let span = statements.get(1).and_then(ast::span_of);
            return Err(vec![
                Problem::new(
                    NOT_A_QUERY,
                    "there is more than one statement, a job is one query",
                )
                .at(span)
                .label("the second one begins here")
                .help("give every query a job of its own, or use WITH"),
            ]);
        }
    };
    match written(&query.body) {
        Some(verb) => Err(vec![refuse(verb).at(first_word(sql))]),
        None => Ok(query),
    }
}

/// The operators that one expression may have in a row. Whatever is done with them is done by recursion, and a thread's stack ends.
const LONGEST_CHAIN: usize = 2000;

/// Finds the expression with too many operators in a row, if there is one: where the one too many stands. What stands in brackets,
/// between commas or after a keyword of a clause is an expression of its own.
fn endless_chain(sql: &str) -> Option<Location> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    let mut chains = vec![0_usize];
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => chains.push(0),
            Token::RParen | Token::RBracket if chains.len() > 1 => chains.truncate(chains.len() - 1),
            Token::Comma | Token::SemiColon => *chains.last_mut()? = 0,
            Token::Word(word) => match word.keyword {
                Keyword::AND | Keyword::OR => *chains.last_mut()? += 1,
                Keyword::SELECT
                | Keyword::FROM
                | Keyword::WHERE
                | Keyword::JOIN
                | Keyword::ON
                | Keyword::GROUP
                | Keyword::HAVING
                | Keyword::ORDER
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE
                | Keyword::END => *chains.last_mut()? = 0,
                _ => {}
            },
            Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::StringConcat
            | Token::Eq
            | Token::DoubleEq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::Ampersand
            | Token::Pipe
            | Token::Caret
            | Token::ShiftLeft
            | Token::ShiftRight
            | Token::DoubleColon => *chains.last_mut()? += 1,
            _ => {}
        }
        if chains.last().is_some_and(|n| *n > LONGEST_CHAIN) {
            let at = token.span.start;
            return Some(Location {
                line: at.line,
                column: at.column,
            });
        }
    }
    None
}

/// Lists the datasets that a query reads, also in subqueries, each place once; common table expressions are not among them.
/// `account.schema.dataset` is taken for the own account only.
///
/// # Errors
///
/// The text is not one query, or a table's name cannot be a dataset's.
pub fn references(sql: &str) -> Result<Vec<Reference>, Vec<Problem>> {
    references_of(&parse(sql)?)
}

/// The same for a parsed query.
pub(crate) fn references_of(query: &Query) -> Result<Vec<Reference>, Vec<Problem>> {
    let mut finder = Finder::default();
    let _ = query.visit(&mut finder);
    if finder.problems.is_empty() {
        Ok(finder.found)
    } else {
        Err(in_order(finder.problems))
    }
}

#[derive(Default)]
struct Finder {
    /// The names of the common table expressions around the place that is visited, query by query.
    ctes: Vec<Vec<String>>,
    found: Vec<Reference>,
    problems: Vec<Problem>,
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut names = Vec::new();
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            let name = ast::name(&cte.alias.name);
            if name.contains('.') {
                let problem = Problem::new(
                    NOT_SUPPORTED,
                    format!("a query in WITH cannot be called `{name}`"),
                );
                self.problems.push(
                    problem
                        .at(ast::span(cte.alias.name.span))
                        .help("use a name without a point"),
                );
            }
            names.push(name);
        }
        self.ctes.push(names);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, args: None, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let span = ast::span_of(name);
        let parts = ast::parts(name).unwrap_or_default();
        let found = match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [one] if self.ctes.iter().flatten().any(|cte| cte == one) => return ControlFlow::Continue(()),
            [schema, table] => format!("{schema}.{table}").parse::<DatasetName>(),
            [account, schema, table] if *account == DEFAULT_ACCOUNT => format!("{schema}.{table}").parse(),
            [account, _, _] => {
                let problem = Problem::new(
                    UNKNOWN_DATASET,
                    format!("datasets of another account (`{account}`) cannot be read"),
                );
                self.problems.push(problem.at(span).help("write schema.dataset"));
                return ControlFlow::Continue(());
            }
            _ => name.to_string().parse(),
        };
        match found {
            Ok(name) => self.found.push(Reference { name, span }),
            Err(_) => self.problems.push(
                Problem::new(
                    UNKNOWN_DATASET,
                    format!("`{name}` is neither a dataset nor a query in WITH"),
                )
                .at(span)
                .help("a dataset has a schema and a name, as in air.flights"),
            ),
        }
        ControlFlow::Continue(())
    }
}

/// Says what the parser stumbled over.
fn syntax(error: &ParserError, sql: &str) -> Problem {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => "the query is nested too deeply",
    };
    let (what, place) = text.rsplit_once(" at Line: ").unwrap_or((text, ""));
    let number = |t: Option<&str>| t.and_then(|t| t.trim().parse::<u64>().ok()).filter(|n| *n > 0);
    let mut numbers = place.split(", Column: ");
    let start = match (number(numbers.next()), number(numbers.next())) {
        (Some(line), Some(column)) => Some(Location { line, column }),
        _ => what.contains("found: EOF").then(|| end(sql)),
    };
    let message = match what
        .strip_prefix("Expected: ")
        .and_then(|w| w.split_once(", found: "))
    {
        Some((wanted, "EOF")) => format!("the query ends where {} was expected", marked(wanted)),
        Some((wanted, found)) => format!("expected {}, found `{found}`", marked(wanted)),
        None => {
            let mut chars = what.trim().chars();
            chars
                .next()
                .map(|c| c.to_lowercase().chain(chars).collect())
                .unwrap_or_default()
        }
    };
    let found = what
        .rsplit_once("found: ")
        .map_or(1, |(_, f)| if f == "EOF" { 1 } else { f.chars().count() });
    let width = u64::try_from(found.max(1)).unwrap_or(1);
    let span = start.map(|s| {
        (
            s,
            Location {
                line: s.line,
                column: s.column + width,
            },
        )
    });
    Problem::new(SYNTAX, message).at(span)
}

/// Quotes a token, but not a description.
fn marked(wanted: &str) -> String {
    if wanted.chars().any(char::is_lowercase) {
        wanted.to_owned()
    } else {
        format!("`{wanted}`")
    }
}

/// The place behind the last character that is not space.
fn end(sql: &str) -> Location {
    let text = sql.trim_end();
    let last = text.lines().last().unwrap_or_default();
    let line = u64::try_from(text.lines().count()).unwrap_or(1).max(1);
    Location {
        line,
        column: u64::try_from(last.chars().count()).unwrap_or(0) + 1,
    }
}

/// Refuses a statement that is not a query.
fn not_a_query(statement: &Statement) -> Problem {
    let text = statement.to_string();
    let verb = text.split_whitespace().next().unwrap_or_default().to_uppercase();
    refuse(&verb)
}

/// The place of the first word, behind comments.
fn first_word(sql: &str) -> Option<Span> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    let first = tokens.iter().find(|t| !matches!(t.token, Token::Whitespace(_)))?;
    ast::span(first.span)
}

fn refuse(verb: &str) -> Problem {
    let help = match verb {
        "CREATE" | "DROP" | "ALTER" => "write only the SELECT; the job's dataset is made from it",
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY" | "TRUNCATE" => {
            "write only the SELECT; its rows become the dataset's"
        }
        "EXPLAIN" | "DESCRIBE" | "SHOW" => "write the query itself",
        _ => "write a SELECT",
    };
    Problem::new(NOT_A_QUERY, format!("{verb} is not a query")).help(help)
}

/// The verb of a statement that writes and stands where a query should.
fn written(body: &SetExpr) -> Option<&'static str> {
    match body {
        SetExpr::Insert(_) => Some("INSERT"),
        SetExpr::Update(_) => Some("UPDATE"),
        SetExpr::Delete(_) => Some("DELETE"),
        SetExpr::Merge(_) => Some("MERGE"),
        SetExpr::Select(select) if select.into.is_some() => Some("SELECT INTO"),
        SetExpr::SetOperation { left, right, .. } => written(left).or_else(|| written(right)),
        SetExpr::Query(query) => written(&query.body),
        _ => None,
    }
}
