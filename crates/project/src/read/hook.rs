//! A `[hook.name]` table.

use mainstay_model::hook::{HookSpec, SecretPlace};

use super::{Entry, Reader};
use crate::code;
use crate::declared::DeclaredHook;
use crate::document::Value;

/// The fields of a hook.
pub(crate) const FIELDS: [&str; 3] = ["secret", "description", "tags"];

impl Reader<'_> {
    /// Reads the hook that an entry names.
    pub(crate) fn hook(&mut self, entry: &Entry<'_>) -> Option<DeclaredHook> {
        let named = self.plain_name("a hook", entry.name, entry.key.clone(), true);
        let place = self.place(entry.key.clone());
        let fields = self.table(entry.name, "a hook", entry.value, &FIELDS)?;
        let secret = match fields.get("secret") {
            Some(value) => self.secret("secret", value),
            None => {
                let example = "secret = \"file:partner\", or \"env:PARTNER_SECRET\"";
                self.missing("a hook", "secret", entry.key.clone(), example);
                None
            }
        };
        let description = self.description(fields.get("description"));
        let tags = self.tags(fields.get("tags"));
        let secret = secret.filter(|_| named)?;
        Some(DeclaredHook {
            name: entry.name.to_owned(),
            place,
            tags,
            spec: HookSpec { description, secret },
        })
    }

    /// Reads where a secret is.
    pub(crate) fn secret(&mut self, name: &str, value: &Value<'_>) -> Option<SecretPlace> {
        let text = self.word(name, value)?;
        let read = text.value.parse();
        if read.is_err() {
            let message = format!("`{name}` says where a secret is, not what it is");
            let help = "write \"env:PARTNER_SECRET\" for a variable of the server's environment, or \"file:partner\" for the file \
                        secrets/main/partner in the home";
            self.report(
                code::NOT_A_SECRETS_PLACE,
                value.span(),
                message,
                "no place of a secret",
                Some(help.to_owned()),
            );
        }
        read.ok()
    }
}
