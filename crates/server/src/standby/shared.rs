//! What the servers of one journal have to share: its key, and the tables. Who does not have them must not take over.

use mainstay_api::{Error, ErrorKind};
use mainstay_journal::SigningKey;
use mainstay_storage::Kind;

use crate::error;
use crate::instance::Instance;
use crate::ledger::KEY;
use crate::projection::moved;

/// Of so many datasets, those that were published last, a file is looked for.
const DATASETS: usize = 8;

fn refused(what: impl Into<String>, help: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "MS0841", what).help(help)
}

impl Instance {
    /// Makes sure that this home has the journal's key and sees the journal's tables.
    ///
    /// # Errors
    ///
    /// `Invalid` with what is missing, otherwise as the journal and the store say.
    pub(crate) fn check_shared(&self) -> Result<(), Error> {
        self.check_key()?;
        let accounts: Vec<String> = self.ledger().states().map(|(a, _)| a.to_owned()).collect();
        for account in accounts {
            self.of_account(account).check_tables()?;
        }
        Ok(())
    }

    /// The key here is the one that signed the last checkpoint.
    fn check_key(&self) -> Result<(), Error> {
        let last = self.ledger().journal().last_checkpoint();
        let Some(last) = last.map_err(|e| error::journal(&e))? else {
            return Ok(());
        };
        let path = self.options.home.join(KEY);
        let help = format!(
            "copy {KEY} and {KEY}.pub from the home of the server that serves to {}",
            self.options.home.display()
        );
        if !path.exists() {
            let text = "the key that signs the journal is not in this home";
            return Err(refused(text, help));
        }
        let key = SigningKey::load(&path).map_err(|e| error::journal(&e))?;
        if last.check(&key.verifier()).is_err() {
            let text = format!("{} is not the key that signs this journal", path.display());
            return Err(refused(text, help));
        }
        Ok(())
    }

    /// The tables of this account are seen from here: the journal's name is with them, and so is what was published last.
    fn check_tables(&self) -> Result<(), Error> {
        let mut newest: Vec<(u64, String)> = self.with(|sight| {
            let datasets = &sight.state.main.datasets;
            let published = datasets.iter().filter_map(|(name, dataset)| {
                let entry = dataset.versions.last()?;
                let (added, _) = moved(dataset, entry.version);
                let (_, file) = added.into_iter().next()?;
                Some((entry.seq, format!("{}/{}", self.table(name), file.path)))
            });
            published.collect()
        });
        if newest.is_empty() {
            return Ok(());
        }
        newest.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
        newest.truncate(DATASETS);
        let store = self.store()?;
        let place = store.place(self.account());
        let help = "let the project's `store` name a place that all its servers reach, an S3 bucket or a shared folder; \
                    or mount the folder `data` of the home that serves into this one";
        let owner = self.owner_of(&store)?;
        let own = self.ledger().journal().origin().to_owned();
        if owner.as_deref() != Some(own.as_str()) {
            let what = match owner {
                Some(other) => format!("the tables in {place} are those of another journal, {other}"),
                None => format!("the journal's tables are not in {place}"),
            };
            return Err(refused(what, help));
        }
        for (_, file) in newest {
            match self.runtime.block_on(store.head(&file)) {
                Ok(_) => {}
                // It may have been vacuumed since; a copy of the tables that is not kept up has none of them.
                Err(e) if e.kind == Kind::NotFound => {
                    let what = format!("{place} is a copy that is not kept up: {file} is not there");
                    return Err(refused(what, help));
                }
                Err(e) => return Err(error::storage(&e)),
            }
        }
        Ok(())
    }
}
