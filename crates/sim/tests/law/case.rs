//! A case: a project, and what happens to it, step by step. Made from choices alone, before anything is carried out.

use crate::amendment::Amendment;
use crate::choices::Choices;
use crate::grammar::Grammar;
use crate::value::{DAYS, Type};
use crate::world::{Check, Content, Job, Project, Relation, Source};

/// What is asked to be computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The datasets, perhaps with a slice; all if there are none.
    pub(crate) targets: Vec<(String, Option<String>)>,
    pub(crate) force: bool,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A file is there, or is not what it was.
    Write {
        source: String,
        file: String,
        content: Content,
    },
    /// A file is gone from its place; what it brought stays.
    Remove { source: String, file: String },
    /// What the places hold is taken in.
    Deliver,
    /// The project's files are these now, and are applied.
    Apply(Project),
    /// The last apply is undone.
    RevertApply(Project),
    /// Datasets are brought up to date.
    Run(Wanted),
    /// Data is corrected.
    Amend(Amendment),
    /// The correction of this number is taken back.
    RevertAmendment(usize),
    /// A run that somebody stops at its n-th sign of progress.
    Interrupted(usize),
    /// The process ends, well or not, and another one begins.
    Reopen { cleanly: bool },
}

/// A project, and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) steps: Vec<Step>,
}

/// What is known of a case while it is made.
struct Maker<'a> {
    c: &'a mut Choices,
    project: Project,
    /// The files that are in their places: source, path, content.
    files: Vec<(String, String, Content)>,
    /// What the last apply changed, if it can be undone.
    before: Option<Project>,
    next_file: usize,
    /// Whether there are corrections.
    amends: bool,
    /// Those that were made: the dataset of each, and whether it was not taken back.
    amended: Vec<(String, bool)>,
    steps: Vec<Step>,
}

impl Case {
    /// Makes a case; `amends` says whether data is corrected in it.
    pub(crate) fn make(c: &mut Choices, amends: bool) -> Self {
        let sources = c.many(1, 3, Source::choose);
        let project = Project {
            sources,
            jobs: Vec::new(),
            remark: 0,
        };
        let mut maker = Maker {
            c,
            project,
            files: Vec::new(),
            before: None,
            next_file: 0,
            amends,
            amended: Vec::new(),
            steps: Vec::new(),
        };
        maker.jobs_from(0);
        maker.steps.push(Step::Apply(maker.project.clone()));
        let files = maker.c.below(4);
        for _ in 0..files {
            maker.new_file();
        }
        maker.steps.push(Step::Run(Wanted::default()));
        for _ in 0..14 {
            let goes_on = maker.one();
            if !goes_on {
                break;
            }
        }
        maker.end();
        Self { steps: maker.steps }
    }
}

impl Maker<'_> {
    /// One more step, or the end.
    fn one(&mut self) -> bool {
        // The whole of a step is one span, so that it can be left out.
        let mark = self.c.mark();
        let more = self.c.chance(9, 10);
        if more {
            self.step();
        }
        self.c.close(mark);
        more
    }

    fn step(&mut self) {
        let corrections = if self.amends { [6, 3] } else { [0, 0] };
        let mut weights = vec![5, 4, 1, 1, 1, 1, 2, 6, 2, 1, 3, 2, 1, 1, 2, 1, 1];
        weights.extend(corrections);
        match self.c.weighted(&weights) {
            0 => self.new_file(),
            1 => self.change_file(),
            2 => self.same_file(),
            3 => self.copy_file(),
            4 => self.remove_file(),
            5 => self.bad_file(),
            6 => self.steps.push(Step::Deliver),
            7 => self.steps.push(Step::Run(Wanted::default())),
            8 => self.run_some(false),
            9 => self.run_some(true),
            10 => self.change_query(),
            11 => self.rewrite_from(),
            12 => self.change_setting(),
            13 => self.change_check(),
            14 => {
                let cleanly = self.c.chance(1, 2);
                self.steps.push(Step::Reopen { cleanly });
            }
            15 => {
                let at = 1 + self.c.below(12);
                self.steps.push(Step::Interrupted(at));
            }
            16 => self.revert_apply(),
            17 => self.amend(),
            _ => self.revert_amendment(),
        }
    }

    fn amend(&mut self) {
        let sources = self
            .project
            .sources
            .iter()
            .map(|s| (s.relation(), s.slice(), Some(s.clone())));
        let jobs = self
            .project
            .jobs
            .iter()
            .map(|j| (j.relation(), j.slice.clone(), None));
        let known: Vec<_> = sources.chain(jobs).collect();
        let (relation, slice, source) = self.c.pick(&known).clone();
        let number = self.amended.len();
        let amendment = Amendment::choose(self.c, number, &relation, &slice, source.as_ref());
        self.amended.push((relation.name, true));
        self.steps.push(Step::Amend(amendment));
    }

    fn revert_amendment(&mut self) {
        let holding: Vec<usize> = (0..self.amended.len()).filter(|i| self.amended[*i].1).collect();
        if holding.is_empty() {
            return self.steps.push(Step::Run(Wanted::default()));
        }
        let number = *self.c.pick(&holding);
        self.amended[number].1 = false;
        self.steps.push(Step::RevertAmendment(number));
    }

    /// Says whether a correction of a job would lose its columns if the jobs were these.
    fn loses_columns(&self, jobs: &[Job]) -> bool {
        let columns =
            |jobs: &[Job], name: &str| jobs.iter().find(|j| j.name == name).map(|j| j.columns.clone());
        self.amended
            .iter()
            .any(|(name, _)| columns(jobs, name) != columns(&self.project.jobs, name))
    }

    /// Ends a case: what was to fail is mended, everything is computed.
    fn end(&mut self) {
        if self.project.jobs.iter().any(|j| j.check.is_some()) {
            let mut project = self.project.clone();
            project.jobs.iter_mut().for_each(|j| j.check = None);
            self.apply(project);
        }
        self.steps.push(Step::Run(Wanted::default()));
    }

    fn apply(&mut self, project: Project) {
        let before = std::mem::replace(&mut self.project, project.clone());
        self.before = (before != project).then_some(before);
        self.steps.push(Step::Apply(project));
    }

    fn revert_apply(&mut self) {
        let Some(before) = self.before.take().filter(|b| !self.loses_columns(&b.jobs)) else {
            return self.steps.push(Step::Run(Wanted::default()));
        };
        self.project = before.clone();
        self.steps.push(Step::RevertApply(before));
    }

    /// Makes the jobs from this one on anew.
    fn jobs_from(&mut self, from: usize) {
        let mut jobs: Vec<Job> = self.project.jobs[..from.min(self.project.jobs.len())].to_vec();
        let sources: Vec<Relation> = self.project.sources.iter().map(Source::relation).collect();
        let first = jobs.len();
        let made = self.c.many(usize::from(first == 0), 6 - first.min(6), |c, i| {
            let mut known = sources.clone();
            known.extend(jobs.iter().map(Job::relation));
            let job = job(c, first + i, &known);
            jobs.push(job.clone());
            job
        });
        self.project.jobs.truncate(first);
        self.project.jobs.extend(made);
    }

    fn source(&mut self) -> Source {
        self.c.pick(&self.project.sources).clone()
    }

    fn write(&mut self, source: String, file: String, content: Content) {
        self.files.retain(|(_, f, _)| *f != file);
        self.files.push((source.clone(), file.clone(), content.clone()));
        self.steps.push(Step::Write {
            source,
            file,
            content,
        });
    }

    fn name_of_new(&mut self, source: &Source) -> String {
        self.next_file += 1;
        source.file(self.next_file - 1)
    }

    fn new_file(&mut self) {
        let source = self.source();
        let rows = self.c.many(0, 8, |c, _| source.row(c));
        let file = self.name_of_new(&source);
        self.write(source.name, file, Content::Rows(rows));
    }

    /// Chooses a file that is there.
    fn a_file(&mut self) -> Option<(String, String, Content)> {
        if self.files.is_empty() {
            return None;
        }
        let at = self.files.len() - 1 - self.c.below(self.files.len());
        self.files.get(at).cloned()
    }

    fn change_file(&mut self) {
        let Some((name, file, Content::Rows(mut rows) | Content::Bad(mut rows))) = self.a_file() else {
            return self.new_file();
        };
        let source = self.project.source(&name).clone();
        for _ in 0..=self.c.below(2) {
            let at = self.c.below(rows.len().max(1));
            match self.c.below(3) {
                0 => rows.push(source.row(self.c)),
                1 if at < rows.len() => drop(rows.remove(at)),
                _ if at < rows.len() => {
                    let mut new = source.row(self.c);
                    // Every other row keeps all its values but one, which its readers may not look at.
                    if at % 2 == 1 {
                        let one = at % new.len();
                        rows[at][one] = new.swap_remove(one);
                    } else {
                        rows[at] = new;
                    }
                }
                _ => {}
            }
        }
        self.write(name, file, Content::Rows(rows));
    }

    fn same_file(&mut self) {
        match self.a_file() {
            Some((source, file, content)) => self.write(source, file, content),
            None => self.new_file(),
        }
    }

    fn copy_file(&mut self) {
        let Some((name, _, content)) = self.a_file() else {
            return self.new_file();
        };
        let source = self.project.source(&name).clone();
        let file = self.name_of_new(&source);
        self.write(name, file, content);
    }

    fn remove_file(&mut self) {
        let Some((source, file, content)) = self.a_file() else {
            return self.new_file();
        };
        // Of a content that two files hold, one may be needed when the other changes.
        if self
            .files
            .iter()
            .filter(|(s, _, c)| *s == source && *c == content)
            .count()
            == 1
        {
            self.files.retain(|(_, f, _)| *f != file);
            self.steps.push(Step::Remove { source, file });
        }
    }

    fn bad_file(&mut self) {
        let source = self.source();
        let mut rows = vec![source.row(self.c)];
        rows.extend(self.c.many(0, 3, |c, _| source.row(c)));
        let known = self.a_file().filter(|(s, ..)| *s == source.name);
        let file = match known.filter(|_| self.c.chance(1, 2)) {
            Some((_, file, _)) => file,
            None => self.name_of_new(&source),
        };
        self.write(source.name, file, Content::Bad(rows));
    }

    fn run_some(&mut self, force: bool) {
        let mut targets = Vec::new();
        if let Some(job) = self
            .project
            .jobs
            .get(self.c.below(self.project.jobs.len().max(1)))
        {
            let dated = matches!(&job.slice[..], [one] if job.columns.iter().any(|c| c.name == *one && c.t == Type::Date));
            let slice = (!force && dated && self.c.chance(1, 2)).then(|| (*self.c.pick(&DAYS)).to_owned());
            targets.push((job.name.clone(), slice));
        }
        if force && self.c.chance(1, 2) {
            targets.clear();
        }
        self.steps.push(Step::Run(Wanted { targets, force }));
    }

    /// Changes a query, but not its columns: a condition more, or one less rows.
    fn change_query(&mut self) {
        let mut project = self.project.clone();
        let sources: Vec<Relation> = project.sources.iter().map(Source::relation).collect();
        let at = self.c.below(project.jobs.len().max(1));
        if let Some(job) = project.jobs.get_mut(at) {
            let mut grammar = Grammar::new(self.c, &sources);
            let condition = grammar.predicate("changed", &job.columns);
            let names: Vec<&str> = job.columns.iter().map(|c| c.name.as_str()).collect();
            // On top of what was changed before there is only one change.
            let inner = match job.sql.split_once("FROM (\n") {
                Some((_, rest)) => rest
                    .split_once("\n) AS changed")
                    .map_or(rest, |(inner, _)| inner)
                    .to_owned(),
                None => job.sql.clone(),
            };
            job.sql = format!(
                "SELECT {} FROM (\n{inner}\n) AS changed WHERE {condition}",
                names.join(", ")
            );
            self.apply(project);
        }
    }

    /// Makes a job and all that may read it anew.
    fn rewrite_from(&mut self) {
        let before = self.project.clone();
        let at = self.c.below(before.jobs.len().max(1));
        self.jobs_from(at);
        let after = std::mem::replace(&mut self.project, before);
        if self.loses_columns(&after.jobs) {
            return self.steps.push(Step::Run(Wanted::default()));
        }
        self.apply(after);
    }

    fn change_setting(&mut self) {
        let mut project = self.project.clone();
        let at = self.c.below(project.jobs.len() + 1);
        match project.jobs.get_mut(at) {
            Some(job) => job.remark += 1,
            None => project.remark += 1,
        }
        self.apply(project);
    }

    fn change_check(&mut self) {
        let mut project = self.project.clone();
        let at = self.c.below(project.jobs.len().max(1));
        if let Some(job) = project.jobs.get_mut(at) {
            job.check = match &job.check {
                Some(_) => None,
                None => check(self.c, job),
            };
            self.apply(project);
        }
    }
}

impl Job {
    fn relation(&self) -> Relation {
        Relation {
            name: self.name.clone(),
            columns: self.columns.clone(),
        }
    }
}

fn job(c: &mut Choices, at: usize, known: &[Relation]) -> Job {
    let mut grammar = Grammar::new(c, known);
    let rel = grammar.query();
    let sql = rel.query();
    // Relations that were looked at and then not used are not in the text.
    let used = |name: &String| sql.split(' ').any(|word| word.trim_end_matches(')') == *name);
    let reads: Vec<String> = known.iter().map(|r| r.name.clone()).filter(used).collect();
    let of = |t: Type| {
        rel.columns
            .iter()
            .filter(move |c| c.t == t)
            .map(|c| c.name.clone())
            .collect::<Vec<_>>()
    };
    let (dates, ints, texts) = (of(Type::Date), of(Type::Int), of(Type::Text));
    let mut slice = match c.weighted(&[10, 2, 1, 3]) {
        0 if !dates.is_empty() => vec![c.pick(&dates).clone()],
        1 if !ints.is_empty() => vec![c.pick(&ints).clone()],
        2 if !texts.is_empty() => vec![c.pick(&texts).clone()],
        _ => Vec::new(),
    };
    if !slice.is_empty()
        && c.chance(1, 8)
        && let Some(second) = ints.iter().find(|i| !slice.contains(i))
    {
        slice.push(second.clone());
    }
    // A table must have a column beside those that slice it.
    slice.truncate(rel.columns.len() - 1);
    Job {
        name: format!("lab.j{at}"),
        sql,
        reads,
        columns: rel.columns,
        slice,
        check: None,
        remark: 0,
    }
}

/// Chooses a condition over plain columns; none if there is none that can be written in a project file.
fn check(c: &mut Choices, job: &Job) -> Option<Check> {
    let plain: Vec<_> = job
        .columns
        .iter()
        .filter(|c| matches!(c.t, Type::Int | Type::Date))
        .collect();
    if plain.is_empty() {
        return None;
    }
    let column = *c.pick(&plain);
    let predicate = match column.t {
        Type::Date => format!("{} = DATE '{}'", column.name, c.pick(&DAYS)),
        _ => format!("{} > {}", column.name, c.below(6)),
    };
    Some(Check { predicate })
}
