//! How slice columns are written: a column, a list of columns, or, for sources, a table of expressions.

use mainstay_model::spec::SliceColumn;
use toml::de::DeValue;

use super::Reader;
use crate::code;
use crate::declared::DeclaredSlice;
use crate::document::Value;
use crate::place::Spanned;

impl Reader<'_> {
    /// Reads the slice columns of a job: a column or a list of them.
    pub(crate) fn slice_columns(&mut self, value: Option<&Value<'_>>) -> Vec<Spanned<String>> {
        let Some(value) = value else { return Vec::new() };
        match value.get_ref() {
            DeValue::String(_) => self.word("slice", value).into_iter().collect(),
            DeValue::Array(_) => self.columns("slice", value).unwrap_or_default(),
            DeValue::Table(_) => {
                let help = "a job's slice columns are columns of its query: compute them there".to_owned();
                self.wrong("slice", "a column or a list of columns", value, Some(help));
                Vec::new()
            }
            _ => {
                self.wrong("slice", "a column or a list of columns", value, None);
                Vec::new()
            }
        }
    }

    /// Reads the slice columns of a source: as those of a job, or `{ day = "make_date(year, month, day)" }`.
    pub(crate) fn slice_expressions(
        &mut self,
        value: Option<&Value<'_>>,
    ) -> (Vec<SliceColumn>, Vec<DeclaredSlice>) {
        let mut slices: Vec<DeclaredSlice> = Vec::new();
        match value {
            Some(table) if table.get_ref().is_table() => {
                let Some(fields) = self.open("slice", table) else {
                    return Default::default();
                };
                if fields.0.is_empty() {
                    let help = Some("name a column, or leave it out".to_owned());
                    self.report(
                        code::EMPTY,
                        table.span(),
                        "`slice` is empty",
                        "nothing is named here",
                        help,
                    );
                }
                let mut seen = Vec::new();
                for entry in fields.0 {
                    if entry.name.trim().is_empty() {
                        let message = "a slice column has no name";
                        self.report(code::EMPTY, entry.key, message, "nothing is named here", None);
                        continue;
                    }
                    let column = Spanned {
                        value: entry.name.to_owned(),
                        place: self.place(entry.key.clone()),
                    };
                    let name = (entry.key.clone(), column.clone());
                    seen.push(name);
                    let expression = self.sql(entry.name, entry.value);
                    let expression = expression.filter(|e| e.as_str().trim() != entry.name);
                    slices.push(DeclaredSlice { column, expression });
                }
                self.once("slice", seen);
            }
            Some(value) if value.get_ref().is_str() || value.get_ref().is_array() => {
                let plain = |column| DeclaredSlice {
                    column,
                    expression: None,
                };
                slices = self.slice_columns(Some(value)).into_iter().map(plain).collect();
            }
            Some(value) => {
                self.wrong(
                    "slice",
                    "a column, a list of columns, or a table of expressions",
                    value,
                    None,
                );
            }
            None => {}
        }
        let spec = |s: &DeclaredSlice| SliceColumn {
            name: s.column.value.clone(),
            expression: s.expression.as_ref().map(|e| e.as_str().to_owned()),
        };
        (slices.iter().map(spec).collect(), slices)
    }
}
