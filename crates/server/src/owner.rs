//! Whose tables a store has: those of one journal for each account.
//!
//! Two homes that wrote into the same folders would stage files under the same names and remove what the other's journal refers
//! to. So the first one leaves the name of its journal there, and any other is refused before it touches anything.

use mainstay_api::{Error, ErrorKind};
use mainstay_storage::{Kind, Store};

use crate::error;
use crate::instance::Instance;

/// The object with the name of the journal, in the account's folder. No schema has a point in its name.
const OWNER: &str = "mainstay.journal";

impl Instance {
    /// Makes sure that the tables of this account in a store are this journal's.
    ///
    /// # Errors
    ///
    /// `Refused` if they are another journal's, otherwise as the store says.
    pub(crate) fn claim(&self, store: &Store) -> Result<(), Error> {
        let path = format!("{}/{OWNER}", self.account());
        let own = self.ledger().journal().origin().to_owned();
        let named = self.runtime.block_on(async {
            if let Some(there) = name(store, &path).await? {
                return Ok(there);
            }
            let text = format!("{own}\n");
            if !store.put_if_absent(&path, text.clone().into()).await? && name(store, &path).await?.is_none()
            {
                // A power cut left the name empty.
                store.put(&path, text.into()).await?;
            }
            store.persist(std::slice::from_ref(&path)).await?;
            Ok(name(store, &path).await?.unwrap_or_default())
        });
        let named = named.map_err(|e: mainstay_storage::Error| error::storage(&e))?;
        if named == own {
            return Ok(());
        }
        let place = store.place(self.account());
        let message = format!("the tables in {place} are those of another home: its journal is {named}");
        Err(Error::new(ErrorKind::Refused, "MS0706", message).help(
            "nothing was written there; work in that home (--home DIR), or give this project a `store` of its own",
        ))
    }

    /// Returns the name of the journal whose tables of this account are in a store; none if it has none.
    pub(crate) fn owner_of(&self, store: &Store) -> Result<Option<String>, Error> {
        let path = format!("{}/{OWNER}", self.account());
        self.runtime
            .block_on(name(store, &path))
            .map_err(|e| error::storage(&e))
    }
}

/// Returns the name of the journal that is written there; none if there is none.
async fn name(store: &Store, path: &str) -> Result<Option<String>, mainstay_storage::Error> {
    match store.read(path).await {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            Ok(Some(text).filter(|t| !t.is_empty()))
        }
        Err(e) if e.kind == Kind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
