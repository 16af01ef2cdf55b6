//! A `[channel.name]` table.

use mainstay_model::message::{ChannelFormat, ChannelSpec};

use super::{Entry, Reader};
use crate::code;
use crate::declared::DeclaredChannel;

/// The fields of a channel.
pub(crate) const FIELDS: [&str; 5] = ["url", "format", "secret", "description", "tags"];

impl Reader<'_> {
    /// Reads the channel that an entry names.
    pub(crate) fn channel(&mut self, entry: &Entry<'_>) -> Option<DeclaredChannel> {
        let named = self.plain_name("a channel", entry.name, entry.key.clone(), true);
        let place = self.place(entry.key.clone());
        let fields = self.table(entry.name, "a channel", entry.value, &FIELDS)?;
        let url = match fields.get("url") {
            Some(value) => self.word("url", value).and_then(|text| {
                let rest = text
                    .value
                    .strip_prefix("https://")
                    .or_else(|| text.value.strip_prefix("http://"));
                let good = rest.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty())
                    && !text.value.contains(char::is_whitespace);
                if !good {
                    let message = format!("`{}` is not a URL that messages can be sent to", text.value);
                    let help = Some("for example https://example.org/hooks/mainstay".to_owned());
                    self.report(
                        code::BAD_URL,
                        value.span(),
                        message,
                        "not http:// or https://",
                        help,
                    );
                }
                good.then_some(text.value)
            }),
            None => {
                let example = "url = \"https://example.org/hooks/mainstay\"";
                self.missing("a channel", "url", entry.key.clone(), example);
                None
            }
        };
        let formats = [
            ("cloudevents", ChannelFormat::CloudEvents),
            ("openlineage", ChannelFormat::OpenLineage),
        ];
        let format = match fields.get("format") {
            Some(value) => self.choice("format", value, &formats),
            None => Some(ChannelFormat::default()),
        };
        let secret = match fields.get("secret") {
            Some(value) => self.secret("secret", value).map(Some),
            // Who receives lineage may take it from anybody.
            None if format != Some(ChannelFormat::CloudEvents) => Some(None),
            None => {
                let example = "secret = \"file:ops\", or \"env:OPS_SECRET\"";
                self.missing("a channel", "secret", entry.key.clone(), example);
                None
            }
        };
        let description = self.description(fields.get("description"));
        let tags = self.tags(fields.get("tags"));
        let (url, format, secret) = (url?, format?, secret?);
        named.then(|| DeclaredChannel {
            name: entry.name.to_owned(),
            place,
            tags,
            spec: ChannelSpec {
                description,
                url,
                format,
                secret,
            },
        })
    }
}
