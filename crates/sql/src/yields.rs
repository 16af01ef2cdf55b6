//! What the scans of a query yield: the columns and the rows of its inputs that it can depend on.
//!
//! The complete list of logical rules pushes columns and filters down to the scans, knowing neither data nor statistics; so a query
//! is a function of what its scans then yield, as multisets of rows. Invariant: what cannot be said in text is left out of a
//! filter, and its columns are among those that are read; so a yield says more than is read, never less.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use mainstay_model::{DatasetName, Schema};

use crate::dependency::{condition_text, optimised};
use crate::identifier::quoted;
use crate::input::{Inputs, Placeholder, dataset_of};
use crate::problem::Problem;
use crate::{deterministic, explain, parse, plan};

/// What one scan of an input yields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Yield {
    /// The columns, by name; if there are none, only the number of rows matters.
    pub columns: BTreeSet<String>,
    /// The conditions that its rows meet, in SQL over the input's columns.
    pub conditions: Vec<String>,
}

impl Yield {
    /// Says whether it is all there is of a table.
    pub fn is_everything(&self, table: &Schema) -> bool {
        self.conditions.is_empty() && table.names().all(|n| self.columns.contains(n))
    }

    /// The query that gives its rows.
    pub fn query(&self, input: &DatasetName) -> String {
        let columns: Vec<String> = self.columns.iter().map(|c| quoted(c)).collect();
        let columns = if columns.is_empty() {
            "1 AS one".to_owned()
        } else {
            columns.join(", ")
        };
        let conditions: Vec<String> = self.conditions.iter().map(|c| format!("({c})")).collect();
        let filter = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        format!("SELECT {columns} FROM {input}{filter}")
    }
}

/// Finds out what the scans of a query yield that [`analyse`](crate::analyse) found to be right, over inputs with these columns.
/// An input that is not among them is not read at all.
///
/// # Errors
///
/// What keeps the query from being planned over these inputs; then nothing is known.
pub fn yields(
    sql: &str,
    inputs: &dyn Inputs,
) -> Result<BTreeMap<DatasetName, BTreeSet<Yield>>, Vec<Problem>> {
    let query = parse::parse(sql)?;
    let table = |name: &DatasetName| inputs.table(name).map(|t| Placeholder::of(&t));
    let plan = plan::plan_query(&query, &table).map_err(|e| vec![explain::explain(&e, &query)])?;
    let plan = deterministic::deterministic(plan)?;
    of_plan(plan).map_err(|e| vec![explain::explain(&e, &query)])
}

fn of_plan(plan: LogicalPlan) -> Result<BTreeMap<DatasetName, BTreeSet<Yield>>, DataFusionError> {
    let plan = optimised(plan)?;
    let mut found: BTreeMap<DatasetName, BTreeSet<Yield>> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(name) = dataset_of(&scan.table_name)
        {
            found.entry(name).or_default().insert(of(scan));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn of(scan: &TableScan) -> Yield {
    let schema = scan.source.schema();
    let name = |at: &usize| schema.fields().get(*at).map(|f| f.name().clone());
    let all = || (0..schema.fields().len()).collect();
    // Which rows a limited scan yields is nobody's to say.
    let limited = scan.fetch.is_some();
    let projected: Vec<usize> = match &scan.projection {
        Some(projected) if !limited => projected.clone(),
        _ => all(),
    };
    let mut columns: BTreeSet<String> = projected.iter().filter_map(name).collect();
    let mut conditions = Vec::new();
    for condition in scan.filters.iter().flat_map(split_conjunction) {
        match condition_text(condition).filter(|_| !limited) {
            Some(text) => conditions.push(text),
            None => columns.extend(condition.column_refs().into_iter().map(|c| c.name.clone())),
        }
    }
    conditions.sort();
    conditions.dedup();
    Yield { columns, conditions }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InputTable;
    use mainstay_model::{Column, ColumnType};

    fn inputs() -> BTreeMap<DatasetName, InputTable> {
        let column = |name: &str, t: ColumnType| Column {
            name: name.into(),
            column_type: t,
        };
        let schema = Schema(vec![
            column("day", ColumnType::Date),
            column("id", ColumnType::Long),
            column("n", ColumnType::Long),
            column("note", ColumnType::String),
        ]);
        let table = InputTable {
            schema,
            slice_columns: vec!["day".into()],
        };
        BTreeMap::from([
            ("a.t".parse().expect("a name"), table.clone()),
            ("a.u".parse().expect("a name"), table),
        ])
    }

    fn queries(sql: &str) -> Vec<String> {
        let yields = yields(sql, &inputs()).expect("yields");
        let each = yields
            .iter()
            .flat_map(|(name, all)| all.iter().map(|y| y.query(name)));
        each.collect()
    }

    #[test]
    fn only_what_is_read() {
        assert_eq!(
            queries("SELECT day, sum(n) AS n FROM a.t GROUP BY day"),
            ["SELECT \"day\", \"n\" FROM a.t"]
        );
        assert_eq!(
            queries("SELECT count(*) AS n FROM a.t"),
            ["SELECT 1 AS one FROM a.t"]
        );
        assert_eq!(
            queries("SELECT day FROM a.t WHERE n > 3 AND note <> 'x'"),
            ["SELECT \"day\" FROM a.t WHERE (n > 3) AND (note != 'x')"]
        );
    }

    #[test]
    fn subqueries_and_several_scans_count_too() {
        assert_eq!(
            queries("SELECT id FROM a.t WHERE n > (SELECT max(n) FROM a.u WHERE note = 'x')"),
            [
                "SELECT \"id\", \"n\" FROM a.t",
                "SELECT \"n\" FROM a.u WHERE (note = 'x')"
            ]
        );
        assert_eq!(
            queries("SELECT id FROM a.t WHERE n > 3 UNION ALL SELECT n FROM a.t WHERE id > 3"),
            [
                "SELECT \"id\" FROM a.t WHERE (n > 3)",
                "SELECT \"n\" FROM a.t WHERE (id > 3)"
            ]
        );
    }

    #[test]
    fn what_depends_on_the_moment_is_no_condition() {
        assert_eq!(
            queries("SELECT id FROM a.t WHERE day < current_date"),
            ["SELECT \"day\", \"id\" FROM a.t"]
        );
    }

    #[test]
    fn what_decides_between_ties_is_read() {
        let all = "SELECT \"day\", \"id\", \"n\", \"note\" FROM a.t";
        assert_eq!(
            queries("SELECT id FROM a.t ORDER BY n LIMIT 1"),
            ["SELECT \"id\", \"n\" FROM a.t"]
        );
        assert_eq!(queries("SELECT * FROM a.t ORDER BY n LIMIT 1"), [all]);
        assert_eq!(
            queries("SELECT id FROM (SELECT id, row_number() OVER (ORDER BY n) AS r FROM a.t) WHERE r = 1"),
            [all]
        );
    }
}
