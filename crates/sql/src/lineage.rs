//! Which columns of which datasets the columns of a query's output come from, and by what.
//!
//! Unlike [`origins`](crate::origins), which leads from rows to rows by values that are passed on unchanged, this says of every output
//! column everything that may have gone into it. The plan is followed from its scans up; what is not known better has everything
//! that its inputs have. So it may name a column too many, never one too few.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{GroupingSet, WindowFunctionDefinition};
use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan, SortExpr};
use mainstay_model::DatasetName;

use crate::input::{Inputs, Placeholder, dataset_of};
use crate::plan::plan;
use crate::problem::Problem;

/// By what something of an input column gets into the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Through {
    /// The value, unchanged.
    Identity,
    /// A value that is computed from it.
    Transformation,
    /// A value that is computed from it over several rows.
    Aggregation,
    /// It says which rows belong together.
    Join,
    /// It says which rows are one group.
    GroupBy,
    /// It says which rows there are.
    Filter,
    /// It says in which order rows come.
    Sort,
    /// It says which rows are beside each other in a window.
    Window,
    /// It says which of several values there is.
    Conditional,
}

impl Through {
    /// Says whether it is the value that gets there, and not only what depends on it.
    pub const fn is_direct(self) -> bool {
        matches!(self, Self::Identity | Self::Transformation | Self::Aggregation)
    }

    /// The name that OpenLineage has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Transformation => "TRANSFORMATION",
            Self::Aggregation => "AGGREGATION",
            Self::Join => "JOIN",
            Self::GroupBy => "GROUP_BY",
            Self::Filter => "FILTER",
            Self::Sort => "SORT",
            Self::Window => "WINDOW",
            Self::Conditional => "CONDITIONAL",
        }
    }

    /// What it is after something else was done with it.
    fn then(self, next: Self) -> Self {
        if next.is_direct() && self.is_direct() {
            self.max(next)
        } else if next.is_direct() {
            self
        } else {
            next
        }
    }
}

/// Columns of datasets, each with the ways in which it gets there.
pub type Sources = BTreeMap<(DatasetName, String), BTreeSet<Through>>;

/// What a query's output comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnLineage {
    /// By output column.
    pub fields: BTreeMap<String, Sources>,
    /// What all of it depends on: which rows there are.
    pub rows: Sources,
}

/// Finds out what the output of a query comes from.
///
/// # Errors
///
/// The query cannot be planned over these inputs.
pub fn column_lineage(sql: &str, inputs: &dyn Inputs) -> Result<ColumnLineage, Vec<Problem>> {
    let table = |name: &DatasetName| inputs.table(name).map(|t| Placeholder::of(&t));
    let plan = plan(sql, &table)?;
    let flow = flow(&plan);
    let names = plan.schema().fields().iter().map(|f| f.name().clone());
    Ok(ColumnLineage {
        fields: names.zip(flow.fields).collect(),
        rows: flow.rows,
    })
}

/// What each field of a plan's output comes from, and what its rows depend on.
#[derive(Clone, Debug, Default)]
struct Flow {
    fields: Vec<Sources>,
    rows: Sources,
}

fn add(to: &mut Sources, from: &Sources, next: Through) {
    for (column, ways) in from {
        let all = to.entry(column.clone()).or_default();
        all.extend(ways.iter().map(|way| way.then(next)));
    }
}

/// An input of a node, with the columns that are known there.
struct Input<'a> {
    plan: &'a LogicalPlan,
    flow: Flow,
}

impl<'a> Input<'a> {
    fn of(plan: &'a LogicalPlan) -> Self {
        let flow = flow(plan);
        Self { plan, flow }
    }

    fn column(&self, column: &Column) -> Option<&Sources> {
        let at = self.plan.schema().maybe_index_of_column(column)?;
        self.flow.fields.get(at)
    }
}

fn flow(plan: &LogicalPlan) -> Flow {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let dataset = dataset_of(&scan.table_name);
            let field = |name: &String| {
                let column = dataset.clone().map(|d| (d, name.clone()));
                column
                    .into_iter()
                    .map(|c| (c, BTreeSet::from([Through::Identity])))
                    .collect()
            };
            let fields = scan.projected_schema.fields().iter();
            let mut flow = Flow {
                fields: fields.map(|f| field(f.name())).collect(),
                rows: Sources::new(),
            };
            let input = [Input {
                plan,
                flow: flow.clone(),
            }];
            for filter in &scan.filters {
                expression(
                    filter,
                    Through::Filter,
                    &input,
                    &mut flow.rows,
                    &mut Sources::new(),
                );
            }
            flow
        }
        LogicalPlan::Projection(p) => computed(&p.expr, Input::of(&p.input)),
        LogicalPlan::Filter(f) => narrowed([&f.predicate], Through::Filter, Input::of(&f.input)),
        LogicalPlan::Sort(s) => narrowed(sorted(&s.expr), Through::Sort, Input::of(&s.input)),
        LogicalPlan::Aggregate(a) => {
            let input = [Input::of(&a.input)];
            let [Input { flow: below, .. }] = &input;
            let mut flow = Flow {
                fields: Vec::new(),
                rows: below.rows.clone(),
            };
            let mut keys: Vec<&Expr> = Vec::new();
            let mut sets = false;
            for key in &a.group_expr {
                match key {
                    Expr::GroupingSet(set) => {
                        sets = true;
                        keys.extend(grouping(set));
                    }
                    other => keys.push(other),
                }
            }
            for key in keys {
                flow.fields.push(one(key, &input, &mut flow.rows));
                expression(key, Through::GroupBy, &input, &mut flow.rows, &mut Sources::new());
            }
            if sets {
                // Which of the sets a row is of.
                flow.fields.push(Sources::new());
            }
            for value in &a.aggr_expr {
                flow.fields.push(one(value, &input, &mut flow.rows));
            }
            flow
        }
        LogicalPlan::Window(w) => {
            let input = [Input::of(&w.input)];
            let [Input { flow: below, .. }] = &input;
            let mut flow = below.clone();
            for value in &w.window_expr {
                flow.fields.push(one(value, &input, &mut flow.rows));
            }
            flow
        }
        LogicalPlan::Join(j) => {
            let inputs = [Input::of(&j.left), Input::of(&j.right)];
            let [left, right] = &inputs;
            let fields = match j.join_type {
                JoinType::LeftSemi | JoinType::LeftAnti => left.flow.fields.clone(),
                JoinType::LeftMark => [left.flow.fields.clone(), vec![Sources::new()]].concat(),
                JoinType::RightSemi | JoinType::RightAnti => right.flow.fields.clone(),
                JoinType::RightMark => [right.flow.fields.clone(), vec![Sources::new()]].concat(),
                _ => [left.flow.fields.clone(), right.flow.fields.clone()].concat(),
            };
            let mut rows = left.flow.rows.clone();
            add(&mut rows, &right.flow.rows, Through::Identity);
            let keys = j.on.iter().flat_map(|(a, b)| [a, b]).chain(&j.filter);
            for key in keys {
                expression(key, Through::Join, &inputs, &mut rows, &mut Sources::new());
            }
            Flow { fields, rows }
        }
        LogicalPlan::Union(u) => side_by_side(u.inputs.iter().map(|i| flow(i))),
        LogicalPlan::RecursiveQuery(r) => {
            side_by_side([flow(&r.static_term), flow(&r.recursive_term)].into_iter())
        }
        LogicalPlan::SubqueryAlias(s) => flow(&s.input),
        LogicalPlan::Subquery(s) => flow(&s.subquery),
        LogicalPlan::Repartition(r) => flow(&r.input),
        LogicalPlan::Limit(l) => flow(&l.input),
        LogicalPlan::Distinct(Distinct::All(input)) => flow(input),
        LogicalPlan::Distinct(Distinct::On(on)) => {
            let input = Input::of(&on.input);
            let order = on.sort_expr.iter().flatten().map(|s| &s.expr);
            let rows = narrowed(on.on_expr.iter().chain(order), Through::GroupBy, input).rows;
            let mut flow = computed(&on.select_expr, Input::of(&on.input));
            add(&mut flow.rows, &rows, Through::Identity);
            flow
        }
        other => everything(other),
    }
}

/// Each field has everything that the node's inputs have.
fn everything(plan: &LogicalPlan) -> Flow {
    let (mut all, mut rows) = (Sources::new(), Sources::new());
    for input in plan.inputs() {
        let below = flow(input);
        for field in &below.fields {
            add(&mut all, field, Through::Transformation);
        }
        add(&mut rows, &below.rows, Through::Identity);
    }
    Flow {
        fields: vec![all; plan.schema().fields().len()],
        rows,
    }
}

/// Rows of several inputs, one after the other.
fn side_by_side(flows: impl Iterator<Item = Flow>) -> Flow {
    let mut all = Flow::default();
    for flow in flows {
        let more = flow.fields.len().max(all.fields.len());
        all.fields.resize(more, Sources::new());
        for (to, from) in all.fields.iter_mut().zip(&flow.fields) {
            add(to, from, Through::Identity);
        }
        add(&mut all.rows, &flow.rows, Through::Identity);
    }
    all
}

/// Fields that are computed from one input.
fn computed(list: &[Expr], input: Input<'_>) -> Flow {
    let mut rows = input.flow.rows.clone();
    let inputs = [input];
    let fields = list.iter().map(|e| one(e, &inputs, &mut rows)).collect();
    Flow { fields, rows }
}

/// The fields of an input, whose rows depend on expressions.
fn narrowed<'a>(list: impl IntoIterator<Item = &'a Expr>, by: Through, input: Input<'_>) -> Flow {
    let mut rows = input.flow.rows.clone();
    let inputs = [input];
    for expr in list {
        expression(expr, by, &inputs, &mut rows, &mut Sources::new());
    }
    let [input] = inputs;
    Flow {
        fields: input.flow.fields,
        rows,
    }
}

fn sorted(list: &[SortExpr]) -> impl Iterator<Item = &Expr> {
    list.iter().map(|s| &s.expr)
}

fn grouping(set: &GroupingSet) -> Vec<&Expr> {
    let all: Vec<&Expr> = match set {
        GroupingSet::Rollup(list) | GroupingSet::Cube(list) => list.iter().collect(),
        GroupingSet::GroupingSets(lists) => lists.iter().flatten().collect(),
    };
    let mut distinct: Vec<&Expr> = Vec::new();
    for expr in all {
        if !distinct.contains(&expr) {
            distinct.push(expr);
        }
    }
    distinct
}

/// What one expression's value comes from.
fn one(expr: &Expr, inputs: &[Input<'_>], rows: &mut Sources) -> Sources {
    let mut field = Sources::new();
    expression(expr, Through::Identity, inputs, &mut field, rows);
    field
}

/// Adds what an expression comes from: to `field` what its value is made of, to `rows` what says which rows there are.
fn expression(expr: &Expr, by: Through, inputs: &[Input<'_>], field: &mut Sources, rows: &mut Sources) {
    let inner = by.then(Through::Transformation);
    let mut other = |e: &Expr, by: Through| expression(e, by, inputs, field, rows);
    match expr {
        Expr::Alias(alias) => other(&alias.expr, by),
        Expr::Column(column) | Expr::OuterReferenceColumn(_, column) => {
            if let Some(known) = inputs.iter().find_map(|i| i.column(column)) {
                add(field, known, by);
            }
        }
        Expr::Case(case) => {
            let when = case.when_then_expr.iter().map(|(when, _)| when);
            for condition in case.expr.iter().chain(when) {
                other(condition, by.then(Through::Conditional));
            }
            let then = case.when_then_expr.iter().map(|(_, then)| then);
            for value in then.chain(&case.else_expr) {
                other(value, inner);
            }
        }
        Expr::AggregateFunction(f) => {
            let by = by.then(Through::Aggregation);
            f.params.args.iter().for_each(|arg| other(arg, by));
            let order = sorted(&f.params.order_by);
            order.for_each(|e| other(e, by.then(Through::Sort)));
            if let Some(filter) = &f.params.filter {
                other(filter, by.then(Through::Conditional));
            }
        }
        Expr::WindowFunction(f) => {
            let over = match &f.fun {
                WindowFunctionDefinition::AggregateUDF(_) => Through::Aggregation,
                WindowFunctionDefinition::WindowUDF(_) => Through::Transformation,
            };
            f.params.args.iter().for_each(|arg| other(arg, by.then(over)));
            let beside = f.params.partition_by.iter().chain(sorted(&f.params.order_by));
            beside.for_each(|e| other(e, by.then(Through::Window)));
        }
        Expr::ScalarSubquery(query) => {
            let below = flow(&query.subquery);
            below.fields.iter().for_each(|from| add(field, from, inner));
            add(field, &below.rows, Through::Identity);
            let outer = query.outer_ref_columns.iter();
            outer.for_each(|e| expression(e, by.then(Through::Filter), inputs, field, rows));
        }
        Expr::Exists(exists) => asked(&exists.subquery, by, inputs, field, rows),
        Expr::InSubquery(within) => {
            expression(&within.expr, inner, inputs, field, rows);
            asked(&within.subquery, by, inputs, field, rows);
        }
        Expr::SetComparison(compared) => {
            expression(&compared.expr, inner, inputs, field, rows);
            asked(&compared.subquery, by, inputs, field, rows);
        }
        _ => {
            // Looking at children never fails.
            let _ = expr.apply_children(|child| {
                expression(child, inner, inputs, field, rows);
                Ok(TreeNodeRecursion::Continue)
            });
        }
    }
}

/// Adds what a query comes from of which only matters which rows it has.
fn asked(
    query: &datafusion::logical_expr::Subquery,
    by: Through,
    inputs: &[Input<'_>],
    field: &mut Sources,
    rows: &mut Sources,
) {
    let below = flow(&query.subquery);
    for from in below.fields.iter().chain([&below.rows]) {
        add(field, from, by.then(Through::Filter));
    }
    let outer = query.outer_ref_columns.iter();
    outer.for_each(|e| expression(e, by.then(Through::Filter), inputs, field, rows));
}

#[cfg(test)]
mod tests;
