//! The normal form of queries: tables and common table expressions are numbered in the order in which they are written, and
//! whatever means the same is written one way. Scopes are as the planner has them: a derived table does not see its
//! neighbours, a common table expression sees those before it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectName, OrderBy, OrderByKind, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetQuantifier, TableFactor, Visit, VisitMut, Visitor, With,
};

use crate::ast;

/// Returns the normal form of a query as text; none if it has something in it that this version does not know.
pub(crate) fn normal_form(query: &Query, mut reserved: BTreeSet<String>) -> Option<String> {
    // What the normal form calls tables.
    if query.to_string().contains("\"#") {
        return None;
    }
    let _ = Visit::visit(query, &mut Names(&mut reserved));
    let mut normaliser = Normaliser {
        reserved,
        ..Normaliser::default()
    };
    let mut query = query.clone();
    normaliser.query(&mut query)?;
    Some(query.to_string())
}

/// Collects the names that columns are given inside the query: a table of such a name keeps it, for `name.field` could be
/// the field of a struct.
struct Names<'a>(&'a mut BTreeSet<String>);

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.0.insert(ast::name(alias));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|w| &w.cte_tables);
        self.0
            .extend(ctes.flat_map(|c| &c.alias.columns).map(|c| ast::name(&c.name)));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        }
        | TableFactor::UNNEST {
            alias: Some(alias), ..
        } = factor
        {
            self.0.extend(alias.columns.iter().map(|c| ast::name(&c.name)));
        }
        ControlFlow::Continue(())
    }
}

/// A table in a FROM.
#[derive(Clone)]
pub(super) struct Relation {
    /// The names by which columns are qualified with it.
    pub(super) names: Vec<Vec<String>>,
    /// The name that it has in the normal form.
    pub(super) number: String,
}

#[derive(Default)]
pub(super) struct Normaliser {
    /// Names that may be those of structs.
    pub(super) reserved: BTreeSet<String>,
    /// The common table expressions that can be seen, the nearest last: name and number.
    pub(super) ctes: Vec<(String, String)>,
    cte_count: usize,
    /// The tables that can be seen, select by select, the innermost last.
    pub(super) scopes: Vec<Vec<Relation>>,
    pub(super) relation_count: usize,
    /// Says that a qualifier may go where only one table can be meant.
    pub(super) bare: bool,
    /// Queries inside the expression that is visited.
    pub(super) inner: Vec<Query>,
    /// Says that something unknown was met.
    pub(super) unknown: bool,
}

impl Normaliser {
    pub(super) fn query(&mut self, query: &mut Query) -> Option<()> {
        let plain = query.locks.is_empty()
            && query.for_clause.is_none()
            && query.settings.is_none()
            && query.format_clause.is_none()
            && query.pipe_operators.is_empty();
        if !plain {
            return None;
        }
        let visible = self.ctes.len();
        if let Some(with) = &mut query.with {
            self.with(with)?;
        }
        let scope = self.body(&mut query.body)?;
        self.scopes.push(scope);
        let ordered = self.order_by(&mut query.order_by);
        self.scopes.pop();
        ordered?;
        self.expressions(&mut query.limit_clause)?;
        self.expressions(&mut query.fetch)?;
        self.ctes.truncate(visible);
        if let SetExpr::Query(inner) = query.body.as_mut()
            && query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none()
        {
            let inner = std::mem::replace(inner.as_mut(), super::expression::nothing());
            *query = inner;
        }
        Some(())
    }

    fn with(&mut self, with: &mut With) -> Option<()> {
        for cte in &mut with.cte_tables {
            let name = ast::name(&cte.alias.name);
            let number = format!("#c{}", self.cte_count);
            self.cte_count += 1;
            if with.recursive {
                self.ctes.push((name.clone(), number.clone()));
            }
            self.query(&mut cte.query)?;
            if !with.recursive {
                self.ctes.push((name, number.clone()));
            }
            cte.alias.name = quoted(number);
            cte.alias.explicit = true;
            super::from::columns(&mut cte.alias);
            if cte.from.is_some() || cte.alias.at.is_some() {
                return None;
            }
        }
        Some(())
    }

    /// Returns the tables that an ORDER BY behind it can see.
    fn body(&mut self, body: &mut SetExpr) -> Option<Vec<Relation>> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query).map(|()| Vec::new()),
            SetExpr::SetOperation {
                left,
                set_quantifier,
                right,
                ..
            } => {
                if *set_quantifier == SetQuantifier::None {
                    *set_quantifier = SetQuantifier::Distinct;
                }
                for side in [left, right] {
                    self.body(side)?;
                    parenthesise(side);
                }
                Some(Vec::new())
            }
            SetExpr::Values(values) => self.expressions(values).map(|()| Vec::new()),
            _ => None,
        }
    }

    fn select(&mut self, select: &mut Select) -> Option<Vec<Relation>> {
        let plain = select.optimizer_hints.is_empty()
            && select.select_modifiers.is_none()
            && select.top.is_none()
            && select.exclude.is_none()
            && select.into.is_none()
            && select.lateral_views.is_empty()
            && select.prewhere.is_none()
            && select.connect_by.is_empty()
            && select.cluster_by.is_empty()
            && select.distribute_by.is_empty()
            && select.sort_by.is_empty()
            && select.value_table_mode.is_none()
            && select.flavor == SelectFlavor::Standard;
        if !plain {
            return None;
        }
        let mut scope = Vec::new();
        for table in &mut select.from {
            self.tables(table, &mut scope)?;
        }
        self.scopes.push(scope);
        let done = self.clauses(select);
        let scope = self.scopes.pop();
        done?;
        scope
    }

    fn clauses(&mut self, select: &mut Select) -> Option<()> {
        for join in select.from.iter_mut().flat_map(|t| &mut t.joins) {
            self.join(&mut join.join_operator)?;
        }
        self.expressions(&mut select.distinct)?;
        self.bare = self.scopes.last().is_some_and(|s| s.len() == 1);
        let projected = select.projection.iter_mut().try_for_each(|item| self.item(item));
        let filtered = self.expressions(&mut select.selection);
        self.bare = false;
        projected.and(filtered)?;
        if let GroupByExpr::Expressions(_, modifiers) | GroupByExpr::All(modifiers) = &select.group_by
            && !modifiers.is_empty()
        {
            return None;
        }
        self.expressions(&mut select.group_by)?;
        self.expressions(&mut select.having)?;
        self.expressions(&mut select.named_window)?;
        self.expressions(&mut select.qualify)
    }

    fn item(&mut self, item: &mut SelectItem) -> Option<()> {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = match expr {
                    Expr::Identifier(ident) => Some(ast::name(ident)),
                    Expr::CompoundIdentifier(idents) => {
                        self.qualified(idents).and_then(|(_, rest)| match rest {
                            [column] => Some(ast::name(column)),
                            _ => None,
                        })
                    }
                    _ => None,
                };
                self.expressions(expr)?;
                if let Some(name) = name {
                    let expr = std::mem::replace(expr, Expr::Identifier(quoted(String::new())));
                    *item = SelectItem::ExprWithAlias {
                        expr,
                        alias: quoted(name),
                    };
                }
                Some(())
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                *alias = quoted(ast::name(alias));
                self.expressions(expr)
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let parts: Option<Vec<Ident>> = name.0.iter().map(|p| p.as_ident().cloned()).collect();
                let parts = parts?;
                let number = self
                    .qualified(&parts)
                    .filter(|(_, rest)| rest.is_empty())
                    .map(|(number, _)| number)?;
                *name = ObjectName::from(vec![quoted(number)]);
                self.expressions(item)
            }
            SelectItem::Wildcard(_) => self.expressions(item),
            SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => None,
        }
    }

    fn order_by(&mut self, order: &mut Option<OrderBy>) -> Option<()> {
        let Some(order) = order else { return Some(()) };
        if order.interpolate.is_some() {
            return None;
        }
        if let OrderByKind::Expressions(keys) = &mut order.kind {
            for key in keys {
                key.options.asc = Some(key.options.asc.unwrap_or(true));
            }
        }
        self.expressions(order)
    }

    /// Normalises all expressions in a part of the query.
    pub(super) fn expressions(&mut self, part: &mut impl VisitMut) -> Option<()> {
        let _ = VisitMut::visit(part, self);
        (!self.unknown).then_some(())
    }

    /// The same where no table can be seen.
    pub(super) fn isolated(&mut self, part: &mut impl VisitMut) -> Option<()> {
        let scopes = std::mem::take(&mut self.scopes);
        let done = self.expressions(part);
        self.scopes = scopes;
        done
    }
}

/// An identifier with exactly this name.
pub(super) fn quoted(name: String) -> Ident {
    Ident::with_quote('"', name)
}

/// Puts one pair of parentheses around a set operation, and none around a SELECT.
fn parenthesise(side: &mut SetExpr) {
    if matches!(side, SetExpr::SetOperation { .. }) {
        let mut query = super::expression::nothing();
        std::mem::swap(query.body.as_mut(), side);
        *side = SetExpr::Query(Box::new(query));
    } else if let SetExpr::Query(query) = side
        && query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && matches!(query.body.as_ref(), SetExpr::Select(_) | SetExpr::Values(_))
    {
        let body = std::mem::replace(query.body.as_mut(), super::expression::empty());
        *side = body;
    }
}
