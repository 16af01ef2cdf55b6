//! Reads the few options that these commands have; whatever is not known is refused with the list of what is.

use crate::failure::{Failure, Outcome};

/// The options of one command, taken out one by one.
#[derive(Debug)]
pub(crate) struct Options {
    rest: Vec<String>,
}

impl Options {
    pub(crate) fn new(arguments: &[String]) -> Self {
        Self {
            rest: arguments.to_vec(),
        }
    }

    /// Takes `--name`, if it is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|a| a != name);
        self.rest.len() != before
    }

    /// Takes `--name VALUE` or `--name=VALUE`, if it is there.
    pub(crate) fn value(&mut self, name: &str) -> Outcome<Option<String>> {
        let with_equals = format!("{name}=");
        let Some(at) = self
            .rest
            .iter()
            .position(|a| a == name || a.starts_with(&with_equals))
        else {
            return Ok(None);
        };
        let option = self.rest.remove(at);
        if let Some(value) = option.strip_prefix(&with_equals) {
            return Ok(Some(value.to_owned()));
        }
        if at < self.rest.len() {
            return Ok(Some(self.rest.remove(at)));
        }
        Err(Failure::usage(format!("`{name}` needs a value")))
    }

    /// Takes what is left as plain arguments; an option among them was not known.
    pub(crate) fn plain(self) -> Outcome<Vec<String>> {
        match self.rest.iter().find(|a| a.starts_with('-')) {
            Some(unknown) => Err(Failure::usage(format!("unknown option `{unknown}`"))
                .help("`cargo xtask help` lists the options")),
            None => Ok(self.rest),
        }
    }

    /// Takes nothing more.
    pub(crate) fn none(self) -> Outcome {
        match self.plain()?.first() {
            Some(extra) => Err(Failure::usage(format!("unexpected argument `{extra}`"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        Options::new(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn values_come_with_or_without_equals() {
        let mut o = options("a --seed 7 --rounds=3 --append b");
        assert_eq!(o.value("--seed"), Ok(Some("7".to_owned())));
        assert_eq!(o.value("--rounds"), Ok(Some("3".to_owned())));
        assert!(o.flag("--append"));
        assert!(!o.flag("--append"));
        assert_eq!(o.plain(), Ok(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(options("--sed 7").plain().map_err(|f| f.status), Err(2));
        assert_eq!(
            options("x").none().map_err(|f| f.message),
            Err("unexpected argument `x`".to_owned())
        );
        assert!(options("--seed").value("--seed").is_err());
    }
}
