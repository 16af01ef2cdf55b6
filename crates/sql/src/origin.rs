//! From which columns of which datasets the columns of a query's output come, as far as values are passed on unchanged.
//!
//! An output column that is an input column, kept as a group key or projected, has in each output row the value that the input
//! rows behind it have. So a row of the output leads to its input rows by equality on those columns. Columns that a join makes
//! equal lead to both sides. Whatever is computed, and everything behind a window, a set operation, a limit or another query,
//! leads nowhere, and the answer says so in words.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, Query, Select, SelectItem,
    SetExpr, TableFactor, visit_expressions,
};
use mainstay_model::{DEFAULT_ACCOUNT, DatasetName};

use crate::ast;
use crate::input::Inputs;
use crate::parse;
use crate::problem::Problem;

/// An input column whose value an output column has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The output column.
    pub output: String,
    /// The place of the input in [`Origins::inputs`].
    pub input: usize,
    /// Its column.
    pub column: String,
}

/// A table in FROM; a dataset that is read twice is two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginInput {
    /// The dataset.
    pub dataset: DatasetName,
    /// What the query calls it.
    pub alias: String,
    /// What the query demands of its rows alone: SQL conditions over its columns, which may be qualified by the alias.
    pub conditions: Vec<String>,
}

/// What is known of where output rows come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// The tables in FROM, in order.
    pub inputs: Vec<OriginInput>,
    /// The columns that are passed on.
    pub columns: Vec<Origin>,
    /// By output column that is not passed on, why.
    pub computed: BTreeMap<String, String>,
    /// What of the query hides where rows come from, in words.
    pub unknown: Vec<String>,
}

/// A table in FROM.
struct Table {
    dataset: DatasetName,
    alias: String,
    columns: Vec<String>,
}

/// Finds out where the output columns of a query come from.
///
/// # Errors
///
/// The text is not one query.
pub fn origins(sql: &str, inputs: &dyn Inputs) -> Result<Origins, Vec<Problem>> {
    let query = parse::parse(sql)?;
    let mut found = Origins::default();
    if let Some(select) = plain(&query, &mut found) {
        of_select(select, inputs, &mut found);
    }
    found.columns.sort();
    found.columns.dedup();
    Ok(found)
}

/// The one SELECT of a query; none if there is more to it.
fn plain<'a>(query: &'a Query, found: &mut Origins) -> Option<&'a Select> {
    if query.with.is_some() {
        found
            .unknown
            .push("the query has a WITH: its rows come through another query".to_owned());
        return None;
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        found
            .unknown
            .push("the query has a LIMIT: which rows it keeps depends on all of them".to_owned());
    }
    match query.body.as_ref() {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => plain(query, found),
        SetExpr::SetOperation { op, .. } => {
            found
                .unknown
                .push(format!("the query is a {op} of several queries"));
            None
        }
        _ => {
            found.unknown.push("the query has no FROM".to_owned());
            None
        }
    }
}

fn of_select(select: &Select, inputs: &dyn Inputs, found: &mut Origins) {
    if select.distinct.is_some() {
        found
            .unknown
            .push("DISTINCT: several input rows may stand behind one row".to_owned());
    }
    if select.qualify.is_some() {
        found
            .unknown
            .push("QUALIFY keeps rows by a window: which ones depends on other rows".to_owned());
    }
    let (mut tables, mut equal) = (Vec::new(), Vec::new());
    for from in &select.from {
        table(&from.relation, inputs, &mut tables, found);
        for join in &from.joins {
            table(&join.relation, inputs, &mut tables, found);
            equal.extend(joined(join, &tables));
        }
    }
    equal.extend(select.selection.iter().flat_map(|e| equalities(e, &tables)));
    let keys = group_keys(select, &tables);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for item in &select.projection {
        for (output, column) in projected(item, &tables) {
            seen.insert(output.clone());
            let at = match column {
                Ok(at) => at,
                Err(why) => {
                    found.computed.insert(output, why);
                    continue;
                }
            };
            if keys.as_ref().is_some_and(|keys| !keys.contains(&at)) {
                found
                    .computed
                    .insert(output, "it is not a column by which rows are grouped".to_owned());
                continue;
            }
            for (input, column) in same(&at, &equal) {
                found.columns.push(Origin {
                    output: output.clone(),
                    input,
                    column,
                });
            }
        }
    }
    let mut conditions = vec![Vec::new(); tables.len()];
    for condition in select.selection.iter().flat_map(conjuncts) {
        if let Some(of_it) = about(condition, &tables).and_then(|i| conditions.get_mut(i)) {
            of_it.push(condition.to_string());
        }
    }
    let named = tables.into_iter().zip(conditions);
    found.inputs = named
        .map(|(t, conditions)| OriginInput {
            dataset: t.dataset,
            alias: t.alias,
            conditions,
        })
        .collect();
}

/// The conditions that hold together.
fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    match unwrapped(condition) {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => [conjuncts(left), conjuncts(right)].concat(),
        other => vec![other],
    }
}

/// The one table that a condition is about; none if there are several, or a query in it.
fn about(condition: &Expr, tables: &[Table]) -> Option<usize> {
    let mut found: BTreeSet<Option<usize>> = BTreeSet::new();
    let _ = visit_expressions(condition, |e| {
        match e {
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                found.insert(None);
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                let at = ast::column(e).and_then(|c| column(c, tables));
                found.insert(at.map(|(i, _)| i));
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    match found.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => *one,
        _ => None,
    }
}

/// A column of a table in FROM: which table, and its name.
type At = (usize, String);

fn table(factor: &TableFactor, inputs: &dyn Inputs, tables: &mut Vec<Table>, found: &mut Origins) {
    let TableFactor::Table {
        name,
        alias,
        args: None,
        ..
    } = factor
    else {
        found
            .unknown
            .push("FROM has a query or a function: rows behind it are not followed".to_owned());
        return;
    };
    let parts = ast::parts(name).unwrap_or_default();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let dataset: Option<DatasetName> = match parts.as_slice() {
        [schema, table] => format!("{schema}.{table}").parse().ok(),
        [account, schema, table] if *account == DEFAULT_ACCOUNT => format!("{schema}.{table}").parse().ok(),
        _ => None,
    };
    let known = dataset.and_then(|d| Some((inputs.table(&d)?, d)));
    let Some((input, dataset)) = known else {
        found
            .unknown
            .push(format!("{name} is not a dataset that is known"));
        return;
    };
    let alias = alias
        .as_ref()
        .map_or_else(|| dataset.table().to_owned(), |a| ast::name(&a.name));
    tables.push(Table {
        columns: input.schema.names().map(str::to_owned).collect(),
        dataset,
        alias,
    });
}

/// Finds the column that a name means; none if it is not one column of one table.
fn column(idents: &[Ident], tables: &[Table]) -> Option<At> {
    let names: Vec<String> = idents.iter().map(ast::name).collect();
    let (last, before) = names.split_last()?;
    let fits = |t: &Table| match before {
        [] => true,
        [alias] => t.alias == *alias,
        [schema, table] => t.dataset.schema() == schema && t.dataset.table() == table,
        _ => false,
    };
    let mut at = tables
        .iter()
        .enumerate()
        .filter(|(_, t)| fits(t) && t.columns.iter().any(|c| c == last));
    let (first, _) = at.next()?;
    at.next().is_none().then(|| (first, last.clone()))
}

/// The columns that an item of the select list yields: each with its name, and where it comes from or why that is not known.
fn projected(item: &SelectItem, tables: &[Table]) -> Vec<(String, Result<At, String>)> {
    let of = |e: &Expr| match unwrapped(e) {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ast::column(unwrapped(e))
            .and_then(|c| column(c, tables))
            .ok_or_else(|| "it is not a column of one table".to_owned()),
        Expr::Function(f) if f.over.is_some() => {
            Err("it is computed by a window, from other rows too".to_owned())
        }
        other => Err(format!("it is computed: {other}")),
    };
    let all = |wanted: &dyn Fn(&Table) -> bool| {
        let tables = tables.iter().enumerate().filter(|(_, t)| wanted(t));
        tables
            .flat_map(|(i, t)| t.columns.iter().map(move |c| (c.clone(), Ok((i, c.clone())))))
            .collect()
    };
    match item {
        SelectItem::UnnamedExpr(e) => {
            let name = ast::column(e).and_then(|c| c.last()).map(ast::name);
            vec![(name.unwrap_or_else(|| e.to_string()), of(e))]
        }
        SelectItem::ExprWithAlias { expr, alias } => vec![(ast::name(alias), of(expr))],
        SelectItem::Wildcard(_) => all(&|_| true),
        SelectItem::QualifiedWildcard(name, _) => {
            let text = name.to_string().to_lowercase();
            let text = text.trim_end_matches(".*");
            all(&|t| t.alias == text || t.dataset.to_string() == text)
        }
        _ => Vec::new(),
    }
}

fn unwrapped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => unwrapped(inner),
        other => other,
    }
}

/// The columns by which rows are grouped; none if they are not grouped.
fn group_keys(select: &Select, tables: &[Table]) -> Option<BTreeSet<At>> {
    let aggregates = |item: &SelectItem| {
        matches!(item, SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }
            if matches!(unwrapped(e), Expr::Function(f) if f.over.is_none()))
    };
    let GroupByExpr::Expressions(list, sets) = &select.group_by else {
        // GROUP BY ALL: every column of the select list that is not computed.
        let of = |item: &SelectItem| projected(item, tables);
        return Some(
            select
                .projection
                .iter()
                .flat_map(of)
                .filter_map(|(_, at)| at.ok())
                .collect(),
        );
    };
    if !sets.is_empty() {
        return Some(BTreeSet::new());
    }
    if list.is_empty() {
        // Without GROUP BY an aggregate makes one row of all; a plain function leaves rows alone. Columns beside an aggregate
        // are refused by the planner, so that there is nothing to lose here.
        let all = select.projection.iter().all(aggregates);
        return (all && select.having.is_some()).then(BTreeSet::new);
    }
    let key = |e: &Expr| {
        let e = unwrapped(e);
        if let Some(at) = ast::column(e).and_then(|c| column(c, tables)) {
            return Some(at);
        }
        // A name of the select list, or a place in it.
        let place = e.to_string();
        let items = select.projection.iter().enumerate();
        let meant = items.filter(|(i, item)| {
            (i + 1).to_string() == place
                || matches!(item, SelectItem::ExprWithAlias { alias, .. } if ast::name(alias) == place)
        });
        let mut columns = meant.flat_map(|(_, item)| projected(item, tables));
        columns.next().and_then(|(_, at)| at.ok())
    };
    Some(list.iter().filter_map(key).collect())
}

/// The pairs of columns that a join makes equal in every row. An outer join's other side may have no row at all, so that the
/// equality says where the rows are if there are any.
fn joined(join: &Join, tables: &[Table]) -> Vec<(At, At)> {
    let constraint = match &join.join_operator {
        JoinOperator::Join(c)
        | JoinOperator::Inner(c)
        | JoinOperator::Left(c)
        | JoinOperator::LeftOuter(c)
        | JoinOperator::Right(c)
        | JoinOperator::RightOuter(c)
        | JoinOperator::FullOuter(c) => c,
        _ => return Vec::new(),
    };
    match constraint {
        JoinConstraint::On(on) => equalities(on, tables),
        JoinConstraint::Using(names) => {
            let Some((last, before)) = tables.split_last() else {
                return Vec::new();
            };
            let names = names.iter().filter_map(|n| ast::parts(n)?.pop());
            names
                .filter(|name| last.columns.contains(name))
                .flat_map(|name| {
                    let others = before
                        .iter()
                        .enumerate()
                        .filter(|(_, t)| t.columns.contains(&name));
                    let pairs: Vec<(At, At)> = others
                        .map(|(i, _)| ((i, name.clone()), (before.len(), name.clone())))
                        .collect();
                    pairs
                })
                .collect()
        }
        JoinConstraint::Natural | JoinConstraint::None => Vec::new(),
    }
}

/// The pairs of columns that a condition makes equal: only conditions that hold together count.
fn equalities(condition: &Expr, tables: &[Table]) -> Vec<(At, At)> {
    let equal = |e: &Expr| match e {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => {
            let at = |e: &Expr| ast::column(unwrapped(e)).and_then(|c| column(c, tables));
            at(left).zip(at(right))
        }
        _ => None,
    };
    conjuncts(condition).into_iter().filter_map(equal).collect()
}

/// All columns that have the value of a column, itself first.
fn same(at: &At, equal: &[(At, At)]) -> BTreeSet<At> {
    let mut all: BTreeSet<At> = BTreeSet::from([at.clone()]);
    loop {
        let more: Vec<At> = equal
            .iter()
            .flat_map(|(a, b)| [(a, b), (b, a)])
            .filter(|(a, b)| all.contains(*a) && !all.contains(*b))
            .map(|(_, b)| b.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    all
}

#[cfg(test)]
mod tests;
