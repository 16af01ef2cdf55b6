//! Limits, and the jobs that take of them.

use mainstay_base::text::nearest;
use mainstay_model::trigger::is_among;

use super::{Found, inherit};
use crate::code;
use crate::declared::{DeclaredJob, DeclaredLimit};
use crate::mistake::Mistake;
use crate::place::{Place, Spanned};
use crate::read::value::Tags;

impl Found {
    /// Returns the limits by name, with the project's labels, and reports what they and the jobs name that is not there, and jobs
    /// that take more than there is.
    pub(super) fn limits(&mut self, tags: &Tags, jobs: &[DeclaredJob]) -> Vec<DeclaredLimit> {
        let mut limits = std::mem::take(&mut self.limits);
        for limit in &mut limits {
            limit.tags = inherit(tags, &limit.tags);
        }
        limits.sort_by(|a, b| a.name.cmp(&b.name));
        if !self.incomplete {
            self.named_jobs(&limits);
        }
        for (name, units) in jobs.iter().flat_map(|job| &job.uses) {
            let limit = limits.iter().find(|l| l.name == name.value);
            match limit.map(|l| l.spec.at_most) {
                Some(at_most) if *units > at_most => {
                    let message = format!("a run takes {units} of `{}`, and there is {at_most}", name.value);
                    let help = "it could never run: take less, or let there be more".to_owned();
                    self.tell(code::MORE_THAN_THERE_IS, &name.place, message, "too much", help);
                }
                Some(_) => {}
                None if self.incomplete || self.limit_names.contains(&name.value) => {}
                None => {
                    let names = self.limit_names.iter().map(String::as_str);
                    let help = match nearest(&name.value, names) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("declare it: [limit.{}] and at_most = 3", name.value),
                    };
                    let message = format!("there is no limit `{}`", name.value);
                    self.tell(code::NO_LIMIT, &name.place, message, "no such limit", help);
                }
            }
        }
        limits
    }

    /// Reports jobs that limits name and that are not there.
    fn named_jobs(&mut self, limits: &[DeclaredLimit]) {
        let names: Vec<String> = self
            .owners
            .keys()
            .chain(&self.broken)
            .map(ToString::to_string)
            .collect();
        let unknown = |job: &&Spanned<String>| {
            let one = std::slice::from_ref(&job.value);
            !names.iter().any(|name| is_among(one, name))
        };
        for job in limits.iter().flat_map(|l| &l.jobs).filter(unknown) {
            let help = match nearest(&job.value, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "a job must declare it; `air.*` stands for all of `air`".to_owned(),
            };
            let message = format!("there is no dataset `{}`", job.value);
            self.tell(code::NO_DATASET, &job.place, message, "no such dataset", help);
        }
    }

    fn tell(&mut self, code: &'static str, place: &Place, message: String, label: &str, help: String) {
        self.mistakes
            .push(Mistake::new(code, place, message, label, Some(help)));
    }
}
