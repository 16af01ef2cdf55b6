//! Checks: conditions that staged rows must meet, each asked as SQL.
//!
//! Owns how a rule becomes a question, how the answer is counted and put into words. Rules about single rows are asked of the
//! staged files alone; rules about the dataset as a whole also of the slices that stay. Invariant: a `warn` never fails a run.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use mainstay_base::Rows;
use mainstay_base::text::count;
use mainstay_model::run::CheckOutcome;
use mainstay_model::spec::{CheckSpec, Rule, Severity};
use mainstay_model::{SliceKey, SliceVersion};

use crate::assignment::{Assignment, Mounted};
use crate::error::translate::{Limits, translate};
use crate::error::{Error, Kind};
use crate::session::Session;

mod question;
mod sample;

use question::{Counted, Question, Sees};
use sample::Sample;

/// Asks all checks of an assignment, one after the other.
///
/// # Errors
///
/// If a check that can fail the run cannot be evaluated; cancelling and lack of memory in any case.
pub(crate) async fn all(
    session: &Session,
    assignment: &Assignment,
    staged: &[(SliceKey, SliceVersion)],
    limits: Limits,
) -> Result<Vec<CheckOutcome>, Error> {
    let mut outcomes = Vec::new();
    for (name, spec) in &assignment.checks {
        let outcome = match one(session, assignment, staged, limits, name, spec).await {
            Err(e) if spec.severity == Severity::Warn && e.kind == Kind::Query => CheckOutcome {
                check: name.clone(),
                severity: spec.severity,
                violations: 1,
                message: format!("it could not be evaluated: {e}"),
                sample: Vec::new(),
            },
            other => other.map_err(|e| e.within(&format!("check `{name}`")))?,
        };
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

async fn one(
    session: &Session,
    assignment: &Assignment,
    staged: &[(SliceKey, SliceVersion)],
    limits: Limits,
    name: &str,
    spec: &CheckSpec,
) -> Result<CheckOutcome, Error> {
    let mut outcome = CheckOutcome {
        check: name.to_owned(),
        severity: spec.severity,
        violations: 0,
        message: String::new(),
        sample: Vec::new(),
    };
    if let Rule::RowCount { min, max } = spec.rule {
        row_count(&mut outcome, staged, &assignment.output.slice_columns, min, max);
        return Ok(outcome);
    }
    let mut said = Vec::new();
    for question in question::questions(
        &spec.rule,
        &assignment.output.dataset,
        &assignment.output.slice_columns,
    ) {
        let asking =
            mounted(session, assignment, staged, question.sees).map_err(|e| translate(&e, limits))?;
        let answer = ask(&asking, &question).await.map_err(|e| e.into_told(limits))?;
        asking.meters.settle();
        outcome.violations += answer.rows;
        said.extend(question.words(&answer.broken));
        outcome.sample.extend(answer.sample);
    }
    outcome.sample.truncate(sample::MOST);
    outcome.message = said.join("; ");
    Ok(outcome)
}

/// A session in which the dataset is what the question is about.
fn mounted(
    session: &Session,
    assignment: &Assignment,
    staged: &[(SliceKey, SliceVersion)],
    sees: Sees,
) -> datafusion::error::Result<Session> {
    let asking = session.without_tables();
    for input in &assignment.check_inputs {
        asking.mount(input)?;
    }
    let output = &assignment.output;
    let mut slices = staged.to_vec();
    if sees == Sees::Whole {
        let stays = assignment
            .previous
            .iter()
            .filter(|(key, _)| !staged.iter().any(|(k, _)| k == key));
        slices.extend(stays.cloned());
        slices.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    asking.mount(&Mounted {
        name: output.dataset.clone(),
        store: output.store.clone(),
        table: output.table.clone(),
        schema: output.schema.clone(),
        slice_columns: output.slice_columns.clone(),
        slices,
    })?;
    Ok(asking)
}

/// What a question found.
struct Answer {
    /// Rows that broke a condition.
    rows: u64,
    /// For each condition, the rows (or what stands for them) that broke it.
    broken: Vec<u64>,
    sample: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// An error of ours or one to be translated.
enum Trouble {
    Told(Error),
    Untold(datafusion::error::DataFusionError),
}

impl Trouble {
    fn into_told(self, limits: Limits) -> Error {
        match self {
            Self::Told(e) => e,
            Self::Untold(e) => translate(&e, limits),
        }
    }
}

impl From<datafusion::error::DataFusionError> for Trouble {
    fn from(e: datafusion::error::DataFusionError) -> Self {
        Self::Untold(e)
    }
}

impl From<datafusion::arrow::error::ArrowError> for Trouble {
    fn from(e: datafusion::arrow::error::ArrowError) -> Self {
        Self::Untold(e.into())
    }
}

async fn ask(session: &Session, question: &Question) -> Result<Answer, Trouble> {
    let logical = session.logical(&question.sql).map_err(Trouble::Told)?;
    let plan = session.physical(&logical).await?;
    session.counts(&plan);
    let mut rows = execute_stream(Arc::clone(&plan), session.task())?;
    let mut answer = Answer {
        rows: 0,
        broken: vec![0; question.conditions.len()],
        sample: Vec::new(),
    };
    let mut sample = Sample::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let marks = if question.counted == Counted::ByMarks {
            question.conditions.len()
        } else {
            0
        };
        let shown = batch.num_columns().saturating_sub(marks);
        let n = match question.counted {
            Counted::ByWeight => total(batch.columns().last().and_then(|c| c.as_primitive_opt())),
            Counted::ByMarks | Counted::Plainly => batch.num_rows() as u64,
        };
        answer.rows += n;
        for (i, broken) in answer.broken.iter_mut().enumerate() {
            *broken += match batch.columns().get(shown + i) {
                Some(mark) => mark.as_boolean_opt().map_or(0, |b| b.true_count() as u64),
                None => n,
            };
        }
        sample.add(&batch.project(&(0..shown).collect::<Vec<_>>())?)?;
    }
    answer.sample = sample.into_rows()?;
    Ok(answer)
}

/// The sum of a column of counts.
fn total(counts: Option<&datafusion::arrow::array::Int64Array>) -> u64 {
    counts.map_or(0, |c| {
        c.iter().flatten().map(|n| u64::try_from(n).unwrap_or(0)).sum()
    })
}

/// The number of rows of each staged slice is known without asking.
fn row_count(
    outcome: &mut CheckOutcome,
    staged: &[(SliceKey, SliceVersion)],
    columns: &[String],
    min: Option<u64>,
    max: Option<u64>,
) {
    let out = |rows: u64| min.is_some_and(|m| rows < m) || max.is_some_and(|m| rows > m);
    let wrong: Vec<(String, Rows)> = staged
        .iter()
        .map(|(key, v)| (key.text(columns), v.rows()))
        .filter(|(_, rows)| out(rows.0))
        .collect();
    outcome.violations = wrong.len() as u64;
    let Some((first, rows)) = wrong.first() else {
        return;
    };
    let wanted = match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max} are allowed"),
        (Some(min), None) => format!("at least {min} must be there"),
        (None, Some(max)) => format!("at most {max} may be there"),
        (None, None) => String::new(),
    };
    let place = if columns.is_empty() {
        "the dataset".to_owned()
    } else {
        format!("slice {first}")
    };
    let more = match wrong.len() {
        1 => String::new(),
        n => format!(", and so on for {}", count(n as u64, "slice")),
    };
    outcome.message = format!("{place} has {rows}, {wanted}{more}");
    outcome.sample = wrong
        .iter()
        .take(sample::MOST)
        .map(|(slice, rows)| {
            [
                ("slice".to_owned(), slice.clone().into()),
                ("rows".to_owned(), rows.0.into()),
            ]
            .into_iter()
            .collect()
        })
        .collect();
}
