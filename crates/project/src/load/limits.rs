//! Limits, and the jobs that take of them.

use mainstay_base::text::nearest;

use super::{Found, inherit};
use crate::code;
use crate::declared::{DeclaredJob, DeclaredLimit};
use crate::mistake::Mistake;
use crate::place::Place;
use crate::read::value::Tags;

impl Found {
    /// Returns the limits by name, with the project's labels, and reports what they and the jobs name that is not there, and jobs
    /// that take more than there is.
    pub(super) fn limits(&mut self, tags: &Tags, jobs: &[DeclaredJob]) -> Vec<DeclaredLimit> {
        let mut limits = std::mem::take(&mut self.limits);
        for limit in &mut limits {
            self.datasets_are_there(&limit.jobs);
            limit.tags = inherit(tags, &limit.tags);
        }
        limits.sort_by(|a, b| a.name.cmp(&b.name));
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

    fn tell(&mut self, code: &'static str, place: &Place, message: String, label: &str, help: String) {
        self.mistakes
            .push(Mistake::new(code, place, message, label, Some(help)));
    }
}
