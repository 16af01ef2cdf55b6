//! Asking a plan for one slice of its output: which rows of each node are needed, down to the scans.
//!
//! A demand on a node says which of its rows must come out right. A rule turns it into demands on the node's inputs, such that
//! whoever has right what they ask for has right what was asked. Every condition may be left out on the way, for whoever has more
//! rows right has those right too; so what a rule does not understand it drops, and an unknown node is asked for everything.

use std::collections::{BTreeMap, HashMap};

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Distinct, Expr, Filter, LogicalPlan, Projection, TableScan};
use mainstay_model::DatasetName;

use super::atom::{Atom, Conjunction, Demand, replace, split};
use super::closure::{Wanted, project};
use super::env::{Env, Owner, is_output, own, owner, positional, types};
use super::rule;
use crate::input::{InputTable, Placeholder, dataset_of};

/// With more alternatives than that, only what they have in common is asked.
const MOST_ALTERNATIVES: usize = 24;

/// What made the demand on an input wider than the slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blame {
    pub(crate) operator: &'static str,
    pub(crate) message: String,
}

impl Blame {
    pub(crate) fn new(operator: &'static str, message: &str) -> Self {
        Self {
            operator,
            message: message.to_owned(),
        }
    }
}

/// What one scan is asked for, over its columns by position.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) dataset: DatasetName,
    /// The names and types of the scan's columns.
    pub(crate) columns: Vec<(String, DataType)>,
    pub(crate) demand: Demand,
    pub(crate) blame: Option<Blame>,
}

/// A walk down a plan.
pub(crate) struct Walk<'a> {
    /// The types of the asked slice's values.
    pub(crate) output: Vec<DataType>,
    pub(crate) inputs: &'a BTreeMap<DatasetName, InputTable>,
    pub(crate) asked: Vec<Asked>,
    /// What the tables of recursive queries are asked for, by name.
    pub(crate) work_tables: Vec<(String, Demand)>,
    facts: HashMap<usize, Conjunction>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(output: Vec<DataType>, inputs: &'a BTreeMap<DatasetName, InputTable>) -> Self {
        Self {
            output,
            inputs,
            asked: Vec::new(),
            work_tables: Vec::new(),
            facts: HashMap::new(),
        }
    }

    /// The types that conditions over a node's columns have.
    pub(crate) fn env(&self, plan: &LogicalPlan) -> Env {
        Env::new(&types(plan), &[], &self.output)
    }

    /// Asks a node for rows.
    pub(crate) fn ask(&mut self, plan: &LogicalPlan, demand: Demand, blame: Option<&Blame>) {
        let mut demand = distinct(demand);
        if demand.len() > MOST_ALTERNATIVES {
            demand = vec![in_common(&demand)];
        }
        if demand.is_empty() {
            return;
        }
        self.subqueries(plan, &demand);
        #[cfg(debug_assertions)]
        if super::broken::ask(self, plan, &demand, blame) {
            return;
        }
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, plan, demand, blame),
            LogicalPlan::Projection(p) => self.projection(p, &demand, blame),
            LogicalPlan::Filter(f) => self.filter(f, demand, blame),
            LogicalPlan::SubqueryAlias(a) => self.ask(&a.input, demand, blame),
            LogicalPlan::Subquery(s) => self.ask(&s.subquery, demand, blame),
            LogicalPlan::Repartition(r) => self.ask(&r.input, demand, blame),
            LogicalPlan::Distinct(Distinct::All(input)) => self.ask(input, demand, blame),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.ask(&sort.input, demand, blame),
            LogicalPlan::Union(union) => {
                for input in &union.inputs {
                    self.ask(input, demand.clone(), blame);
                }
            }
            LogicalPlan::Aggregate(a) => rule::aggregate::ask(self, a, &demand, blame),
            LogicalPlan::Join(join) => rule::join::ask(self, join, &demand, blame),
            LogicalPlan::Window(window) => rule::window::ask(self, window, &demand, blame),
            LogicalPlan::Unnest(unnest) => rule::unnest::ask(self, unnest, &demand, blame),
            LogicalPlan::RecursiveQuery(query) => rule::recursive::ask(self, query, &demand, blame),
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {}
            LogicalPlan::Limit(_) | LogicalPlan::Sort(_) => {
                let why = "LIMIT picks among the rows of all slices; pick within each slice instead, with row_number() OVER (PARTITION BY the slice column ORDER BY …)";
                self.everything_below(plan, &demand, blame, &Blame::new("limit", why));
            }
            other => {
                let why = "this part of the query is not looked into";
                self.everything_below(other, &demand, blame, &Blame::new("query", why));
            }
        }
    }

    /// Asks all inputs of a node for everything, as long as the asked slice is one that the node has anything for.
    pub(crate) fn everything_below(
        &mut self,
        plan: &LogicalPlan,
        demand: &Demand,
        blame: Option<&Blame>,
        own: &Blame,
    ) {
        let all = output_only(demand, &self.env(plan));
        let blame = blamed(demand, &all, blame, own);
        for input in plan.inputs() {
            self.ask(input, all.clone(), blame.as_ref());
        }
    }

    /// The subqueries that stand in a node's expressions are asked for everything.
    fn subqueries(&mut self, plan: &LogicalPlan, demand: &Demand) {
        #[cfg(debug_assertions)]
        if super::broken::is(super::broken::Rule::Subquery) {
            return;
        }
        let mut found: Vec<LogicalPlan> = Vec::new();
        // The closure never fails, so neither does the walk.
        let _ = plan.apply_expressions(|expr| {
            expr.apply(|e| {
                match e {
                    Expr::ScalarSubquery(s) => found.push(s.subquery.as_ref().clone()),
                    Expr::Exists(e) => found.push(e.subquery.subquery.as_ref().clone()),
                    Expr::InSubquery(i) => found.push(i.subquery.subquery.as_ref().clone()),
                    Expr::SetComparison(c) => found.push(c.subquery.subquery.as_ref().clone()),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        });
        if found.is_empty() {
            return;
        }
        let all = output_only(demand, &self.env(plan));
        let why = "a subquery gives one answer for all slices; join on the slice column, or correlate the subquery by it, if each slice should have its own";
        for subquery in &found {
            self.ask(subquery, all.clone(), Some(&Blame::new("subquery", why)));
        }
    }

    /// Proof: what comes out is computed row by row; a condition on what comes out is the same condition on what it was computed from.
    fn projection(&mut self, p: &Projection, demand: &Demand, blame: Option<&Blame>) {
        let exprs: Vec<Option<Expr>> = p.expr.iter().map(|e| positional(e, p.input.schema())).collect();
        let through = substituted(demand, &exprs);
        let why = "the slice column is computed from something that is not known row by row";
        let blame = blamed(demand, &through, blame, &Blame::new("projection", why));
        self.ask(&p.input, through, blame.as_ref());
    }

    /// Proof: a row that the filter drops is not needed, so only rows are needed for which the filter holds, too.
    fn filter(&mut self, filter: &Filter, mut demand: Demand, blame: Option<&Blame>) {
        let Some(holds) = conditions(&filter.predicate, &filter.input) else {
            return;
        };
        for conjunction in &mut demand {
            conjunction.extend(holds.iter().cloned());
        }
        self.ask(&filter.input, demand, blame);
    }

    fn scan(&mut self, scan: &TableScan, plan: &LogicalPlan, mut demand: Demand, blame: Option<&Blame>) {
        if let Some((_, asked)) = self
            .work_tables
            .iter_mut()
            .rev()
            .find(|(name, _)| *name == scan.table_name.table())
            && scan.source.downcast_ref::<Placeholder>().is_none()
        {
            asked.extend(demand);
            return;
        }
        let Some(dataset) = dataset_of(&scan.table_name).filter(|n| self.inputs.contains_key(n)) else {
            return;
        };
        let schema = plan.schema();
        let columns: Vec<(String, DataType)> = schema
            .fields()
            .iter()
            .map(|f| (f.name().clone(), f.data_type().clone()))
            .collect();
        let mut blame = blame.cloned();
        if scan.fetch.is_some() {
            let all = output_only(&demand, &self.env(plan));
            let why = "LIMIT picks among the rows of all slices";
            blame = blamed(&demand, &all, blame.as_ref(), &Blame::new("limit", why));
            demand = all;
        } else {
            for filter in &scan.filters {
                let Some(holds) = conditions(filter, plan) else {
                    return;
                };
                for conjunction in &mut demand {
                    conjunction.extend(holds.iter().cloned());
                }
            }
        }
        self.asked.push(Asked {
            dataset,
            columns,
            demand,
            blame,
        });
    }

    /// What holds for every row of a node, over its columns by position.
    pub(crate) fn facts(&mut self, plan: &LogicalPlan) -> Conjunction {
        let key = std::ptr::from_ref(plan) as usize;
        if let Some(known) = self.facts.get(&key) {
            return known.clone();
        }
        let found = self.find_facts(plan);
        self.facts.insert(key, found.clone());
        found
    }

    fn find_facts(&mut self, plan: &LogicalPlan) -> Conjunction {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let each = scan.filters.iter().filter_map(|f| conditions(f, plan));
                each.flatten().collect()
            }
            LogicalPlan::Filter(f) => {
                let mut facts = self.facts(&f.input);
                facts.extend(conditions(&f.predicate, &f.input).unwrap_or_default());
                facts
            }
            LogicalPlan::SubqueryAlias(a) => self.facts(&a.input),
            LogicalPlan::Repartition(r) => self.facts(&r.input),
            LogicalPlan::Sort(s) => self.facts(&s.input),
            LogicalPlan::Distinct(Distinct::All(input)) => self.facts(input),
            // Its columns come first, and new ones are added.
            LogicalPlan::Window(w) => self.facts(&w.input),
            LogicalPlan::Projection(p) => {
                let exprs: Vec<Option<Expr>> =
                    p.expr.iter().map(|e| positional(e, p.input.schema())).collect();
                let facts = self.facts(&p.input);
                renamed(facts, &exprs, &p.input)
            }
            LogicalPlan::Aggregate(a) if !rule::aggregate::has_sets(a) => {
                let exprs: Vec<Option<Expr>> = a
                    .group_expr
                    .iter()
                    .map(|e| positional(e, a.input.schema()))
                    .collect();
                let facts = self.facts(&a.input);
                renamed(facts, &exprs, &a.input)
            }
            LogicalPlan::Join(join) => rule::join::facts(self, join),
            _ => Vec::new(),
        }
    }
}

/// Facts over the columns that are computed from a node's columns.
fn renamed(facts: Conjunction, exprs: &[Option<Expr>], input: &LogicalPlan) -> Conjunction {
    let mut known = facts;
    let mut computed = Vec::new();
    for (i, e) in exprs.iter().enumerate() {
        if let Some(e) = e {
            known.push(Atom::Same(super::env::right(i), e.clone()));
        }
    }
    for e in exprs {
        use datafusion::logical_expr::ExprSchemable;
        let env = Env::new(&types(input), &[], &[]);
        let t = e.as_ref().and_then(|e| e.get_type(&env.schema).ok());
        computed.push(t.unwrap_or(DataType::Null));
    }
    let env = Env::new(&types(input), &computed, &[]);
    let wanted = Wanted {
        keep: &|c| owner(c).0 == Owner::Right,
        apart: false,
    };
    match project(&known, &env, &wanted).as_slice() {
        [one] => own_columns(one),
        _ => Vec::new(),
    }
}

/// Conditions over the second node's columns as conditions over a node's own.
pub(crate) fn own_columns(conditions: &Conjunction) -> Conjunction {
    let to_own = |atom: &Atom| {
        atom.map(&mut |e| {
            replace(e, &mut |c| {
                Some(match owner(c) {
                    (Owner::Right, at) => own(at),
                    _ => Expr::Column(c.clone()),
                })
            })
        })
    };
    conditions.iter().filter_map(to_own).collect()
}

/// The atoms of a condition over a node's columns, as far as they can be reasoned about; none if it never holds.
pub(crate) fn conditions(predicate: &Expr, input: &LogicalPlan) -> Option<Conjunction> {
    let mut out = Vec::new();
    for part in datafusion::logical_expr::utils::split_conjunction(predicate) {
        let mut atoms = Vec::new();
        if let Some(e) = positional(part, input.schema()) {
            if !split(&e, &mut atoms) {
                return None;
            }
            out.extend(atoms);
        }
    }
    Some(out)
}

/// A demand over columns as one over what they are computed from; conditions over columns without an expression are dropped.
pub(crate) fn substituted(demand: &Demand, exprs: &[Option<Expr>]) -> Demand {
    let atom = |atom: &Atom| {
        atom.map(&mut |e| {
            replace(e, &mut |c| match owner(c) {
                (Owner::Own, at) => exprs.get(at).cloned().flatten(),
                _ => Some(Expr::Column(c.clone())),
            })
        })
    };
    demand
        .iter()
        .map(|conjunction| conjunction.iter().filter_map(atom).collect())
        .collect()
}

/// The demand as far as it can be said over some columns.
pub(crate) fn over(demand: &Demand, env: &Env, keep: &dyn Fn(usize) -> bool) -> Demand {
    let wanted = Wanted {
        keep: &|c| matches!(owner(c), (Owner::Own, at) if keep(at)),
        apart: false,
    };
    demand
        .iter()
        .flat_map(|conjunction| project(conjunction, env, &wanted))
        .collect()
}

/// What a demand says of the asked slice alone: for which slices there is anything to be asked.
pub(crate) fn output_only(demand: &Demand, env: &Env) -> Demand {
    distinct(over(demand, env, &|_| false))
}

fn distinct(demand: Demand) -> Demand {
    let mut out: Demand = Vec::with_capacity(demand.len());
    for conjunction in demand {
        if conjunction.is_empty() {
            return vec![conjunction];
        }
        if !out.contains(&conjunction) {
            out.push(conjunction);
        }
    }
    out
}

fn in_common(demand: &Demand) -> Conjunction {
    let Some((first, others)) = demand.split_first() else {
        return Vec::new();
    };
    first
        .iter()
        .filter(|atom| others.iter().all(|o| o.contains(atom)))
        .cloned()
        .collect()
}

/// Says whether every alternative ties the rows to the asked slice.
fn tied(demand: &Demand) -> bool {
    demand.iter().all(|conjunction| {
        conjunction
            .iter()
            .any(|a| a.mentions(&|c| !is_output(c)) && a.mentions(&is_output))
    })
}

/// Whom to blame below a node: the node itself, if it lost the tie to the asked slice.
pub(crate) fn blamed(before: &Demand, after: &Demand, so_far: Option<&Blame>, own: &Blame) -> Option<Blame> {
    if so_far.is_none() && tied(before) && !tied(after) {
        Some(own.clone())
    } else {
        so_far.cloned()
    }
}
