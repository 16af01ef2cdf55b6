//! The normal form of FROM: each table has a number, whatever it is called, and a join is written one way.

use datafusion::sql::sqlparser::ast::{
    JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor, TableWithJoins,
};
use mainstay_model::DEFAULT_ACCOUNT;

use super::normal::{Normaliser, Relation, quoted};
use crate::ast;

impl Normaliser {
    pub(super) fn tables(&mut self, table: &mut TableWithJoins, scope: &mut Vec<Relation>) -> Option<()> {
        self.table(&mut table.relation, scope)?;
        for join in &mut table.joins {
            self.table(&mut join.relation, scope)?;
        }
        Some(())
    }

    fn table(&mut self, factor: &mut TableFactor, scope: &mut Vec<Relation>) -> Option<()> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality: false,
                partitions,
                json_path,
                sample,
                index_hints,
            } if with_hints.is_empty()
                && version.is_none()
                && partitions.is_empty()
                && json_path.is_none()
                && sample.is_none()
                && index_hints.is_empty() =>
            {
                let mut parts = ast::parts(name)?;
                if let Some(args) = args {
                    self.isolated(args)?;
                    *alias = Some(self.numbered(alias.take(), Vec::new(), scope)?);
                    *name = ObjectName::from(parts.into_iter().map(quoted).collect::<Vec<_>>());
                    return Some(());
                }
                let names = (0..parts.len())
                    .filter_map(|from| parts.get(from..))
                    .map(<[String]>::to_vec)
                    .collect();
                if parts.len() == 3 && parts.first().is_some_and(|a| a == DEFAULT_ACCOUNT) {
                    parts.remove(0);
                }
                if let [one] = parts.as_slice() {
                    let cte = self.ctes.iter().rev().find(|(name, _)| name == one)?;
                    parts = vec![cte.1.clone()];
                }
                *name = ObjectName::from(parts.into_iter().map(quoted).collect::<Vec<_>>());
                *alias = Some(self.numbered(alias.take(), names, scope)?);
                Some(())
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample: None,
            } => {
                self.query(subquery)?;
                *alias = Some(self.numbered(alias.take(), Vec::new(), scope)?);
                Some(())
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => {
                self.tables(table_with_joins, scope)?;
                self.scopes.push(scope.clone());
                let joined = table_with_joins
                    .joins
                    .iter_mut()
                    .try_for_each(|j| self.join(&mut j.join_operator));
                self.scopes.pop();
                joined
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality: false,
            } => {
                self.isolated(array_exprs)?;
                *alias = Some(self.numbered(alias.take(), Vec::new(), scope)?);
                Some(())
            }
            _ => None,
        }
    }

    /// Gives a table its number, and adds it to the scope. `names` are what it is called without an alias.
    fn numbered(
        &mut self,
        alias: Option<TableAlias>,
        names: Vec<Vec<String>>,
        scope: &mut Vec<Relation>,
    ) -> Option<TableAlias> {
        let names = match &alias {
            Some(alias) => vec![vec![ast::name(&alias.name)]],
            None => names,
        };
        let kept = names
            .iter()
            .find(|n| n.len() == 1)
            .and_then(|n| n.first())
            .filter(|n| self.reserved.contains(*n));
        let number = kept
            .cloned()
            .unwrap_or_else(|| format!("#{}", self.relation_count));
        self.relation_count += 1;
        scope.push(Relation {
            names,
            number: number.clone(),
        });
        let mut alias = alias.unwrap_or(TableAlias {
            explicit: true,
            name: quoted(String::new()),
            columns: Vec::new(),
            at: None,
        });
        if alias.at.is_some() {
            return None;
        }
        alias.explicit = true;
        alias.name = quoted(number);
        columns(&mut alias);
        Some(alias)
    }

    pub(super) fn join(&mut self, operator: &mut JoinOperator) -> Option<()> {
        let taken = std::mem::replace(operator, JoinOperator::CrossApply);
        *operator = match taken {
            JoinOperator::Join(c) => JoinOperator::Inner(c),
            JoinOperator::LeftOuter(c) => JoinOperator::Left(c),
            JoinOperator::RightOuter(c) => JoinOperator::Right(c),
            other => other,
        };
        match operator {
            JoinOperator::Inner(c)
            | JoinOperator::Left(c)
            | JoinOperator::Right(c)
            | JoinOperator::FullOuter(c)
            | JoinOperator::CrossJoin(c)
            | JoinOperator::LeftSemi(c)
            | JoinOperator::RightSemi(c)
            | JoinOperator::LeftAnti(c)
            | JoinOperator::RightAnti(c) => match c {
                JoinConstraint::On(expr) => self.expressions(expr),
                JoinConstraint::Using(names) => {
                    for name in names {
                        *name =
                            ObjectName::from(ast::parts(name)?.into_iter().map(quoted).collect::<Vec<_>>());
                    }
                    Some(())
                }
                JoinConstraint::Natural | JoinConstraint::None => Some(()),
            },
            _ => None,
        }
    }
}

/// Writes the names of an alias's columns one way.
pub(super) fn columns(alias: &mut TableAlias) {
    for column in &mut alias.columns {
        column.name = quoted(ast::name(&column.name));
    }
}
