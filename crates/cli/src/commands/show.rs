//! `list`, `show`, `history`.

use mainstay_api::{Error, ErrorKind, RunReport};
use mainstay_base::{Bytes, text};
use mainstay_model::Address;
use mainstay_server::Access;
use serde_json::Value;

use super::show_run::show_run;
use super::{address, amend, branch, moment, with};
use crate::Done;
use crate::args::Global;
use crate::output::{Output, Style};
use crate::table::table;

/// The columns that people see, by kind: heading and path.
fn columns(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "dataset" => &[
            ("dataset", "/name"),
            ("filled by", "/filled_by"),
            ("state", "/state"),
            ("rows", "/rows"),
            ("slices", "/slices"),
            ("size", "/bytes"),
            ("version", "/version"),
            ("published", "/published"),
        ],
        "delivery" => &[
            ("delivery", "/id"),
            ("source", "/source"),
            ("file", "/file"),
            ("outcome", "/outcome"),
            ("rows", "/rows"),
            ("of before", "/earlier_rows"),
            ("reason", "/error/message"),
        ],
        "run" => &[
            ("run", "/id"),
            ("job", "/job"),
            ("outcome", "/outcome"),
            ("seconds", "/seconds"),
            ("when", "/time"),
            ("because", "/because"),
        ],
        "plan" => &[
            ("plan", "/plan"),
            ("when", "/time"),
            ("changes", "/changes"),
            ("current", "/current"),
        ],
        "apply" => &[
            ("apply", "/apply"),
            ("when", "/time"),
            ("who", "/who"),
            ("reason", "/reason"),
            ("plan", "/plan"),
            ("reverts", "/reverts"),
        ],
        "amendment" => &[
            ("amendment", "/amendment"),
            ("status", "/status"),
            ("when", "/time"),
            ("who", "/who"),
            ("does", "/edit"),
            ("reason", "/reason"),
        ],
        "branch" => &[
            ("branch", "/branch"),
            ("status", "/status"),
            ("when", "/time"),
            ("who", "/who"),
            ("reason", "/reason"),
        ],
        "trigger" => &[
            ("trigger", "/name"),
            ("state", "/status/state"),
            ("set off", "/status/cause"),
            ("runs", "/status/runs"),
            ("next", "/status/next/0"),
            ("last", "/status/last/time"),
        ],
        "channel" => &[
            ("channel", "/name"),
            ("url", "/spec/url"),
            ("format", "/spec/format"),
            ("secret", "/spec/secret"),
            ("state", "/status/state"),
            ("error", "/status/error"),
        ],
        "alarm" => &[
            ("alarm", "/name"),
            ("watches", "/status/watches"),
            ("state", "/status/state"),
            ("since", "/status/since"),
            ("because", "/status/because"),
        ],
        "dead-letter" => &[
            ("run", "/run"),
            ("job", "/job"),
            ("failed", "/failed"),
            ("when", "/time"),
            ("who", "/who"),
            ("error", "/error/message"),
        ],
        "limit" => &[
            ("limit", "/name"),
            ("at most", "/spec/at_most"),
            ("taken", "/status/taken"),
            ("waiting", "/status/waiting"),
        ],
        "message" => &[
            ("message", "/message"),
            ("state", "/state"),
            ("channel", "/channel"),
            ("trigger", "/trigger"),
            ("because", "/because"),
            ("when", "/time"),
            ("attempts", "/attempts"),
            ("error", "/error"),
        ],
        "hook" => &[
            ("hook", "/name"),
            ("path", "/status/path"),
            ("secret", "/spec/secret"),
            ("received", "/status/received"),
            ("last", "/status/last"),
        ],
        "promise" => &[
            ("promise", "/name"),
            ("within", "/status/within"),
            ("state", "/status/state"),
            ("behind since", "/status/since"),
            ("due", "/status/due"),
            ("to blame", "/status/blame/dataset"),
            ("because", "/status/blame/because"),
        ],
        _ => &[
            ("name", "/name"),
            ("generation", "/generation"),
            ("description", "/spec/description"),
        ],
    }
}

fn cell(path: &str, v: &Value) -> String {
    match v {
        Value::Null => String::new(),
        Value::Number(n) if path == "/earlier_rows" && n.as_u64() == Some(0) => String::new(),
        Value::Number(n) if path == "/bytes" => Bytes(n.as_u64().unwrap_or_default()).to_string(),
        Value::Number(n) => n.as_u64().map_or_else(
            || format!("{:.2}", n.as_f64().unwrap_or_default()),
            text::thousands,
        ),
        Value::String(s) if path == "/status/state" => s.replace('_', " "),
        Value::String(s)
            if matches!(
                path,
                "/time"
                    | "/published"
                    | "/status/last"
                    | "/status/last/time"
                    | "/status/since"
                    | "/status/due"
            ) =>
        {
            s.parse().map_or_else(|_| s.clone(), moment)
        }
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

pub(super) fn list(global: &Global, kind: &str, output: &Output) -> Result<Done, Error> {
    with(global, Access::Read, output, |instance| {
        let report = instance.list(kind)?;
        if output.is_json() {
            output.document(&report);
            return Ok(Done::Well);
        }
        let columns = columns(&report.kind);
        let row = |item: &Value| {
            columns
                .iter()
                .map(|(_, path)| cell(path, item.pointer(path).unwrap_or(&Value::Null)))
                .collect::<Vec<_>>()
        };
        let rows: Vec<Vec<String>> = report.items.iter().map(row).collect();
        if rows.is_empty() {
            output.note(&format!("no {} yet", report.kind));
        } else {
            let headings: Vec<&str> = columns.iter().map(|(h, _)| *h).collect();
            output.raw(table(&headings, &rows).as_bytes());
        }
        Ok(Done::Well)
    })
}

pub(super) fn show(global: &Global, thing: &str, output: &Output) -> Result<Done, Error> {
    let address = address(thing)?;
    with(global, Access::Read, output, |instance| {
        let value = instance.show(&address)?;
        if output.is_json() {
            output.document(&value);
            return Ok(Done::Well);
        }
        match address {
            Address::Amendment(_) => amend::show(&read(value)?, output),
            Address::Branch(_) => branch::show(&read(value)?, output),
            Address::Run(_) => match serde_json::from_value::<RunReport>(value.clone()) {
                Ok(run) => show_run(&run, output),
                Err(_) => show_value("", &value, 0, output),
            },
            _ => show_value("", &value, 0, output),
        }
        Ok(Done::Well)
    })
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|e| {
        Error::new(ErrorKind::Failed, "MS0901", "an answer cannot be read")
            .because(&e)
            .help("this is a defect; please report it")
    })
}

/// Shows a document as an indented list, which is easier to read than JSON.
fn show_value(name: &str, value: &Value, depth: usize, output: &Output) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            if !name.is_empty() {
                output.line(format!("{indent}{}", output.paint(Style::Bold, name)));
            }
            let deeper = depth + usize::from(!name.is_empty());
            map.iter()
                .filter(|(_, v)| !v.is_null() && v.as_array().is_none_or(|list| !list.is_empty()))
                .for_each(|(k, v)| show_value(k, v, deeper, output));
        }
        Value::Array(list) if list.iter().any(|v| v.is_object()) => {
            output.line(format!("{indent}{}", output.paint(Style::Bold, name)));
            for item in list {
                let compact = item.as_object().map(|o| {
                    o.iter().map(|(k, v)| {
                        format!("{k}={}", v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                    })
                });
                output.line(format!(
                    "{indent}  {}",
                    compact.into_iter().flatten().collect::<Vec<_>>().join("  ")
                ));
            }
        }
        Value::Array(list) => {
            let texts: Vec<String> = list
                .iter()
                .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                .collect();
            let shown = if texts.len() > 8 && !output.verbose {
                super::slices(&texts)
            } else {
                texts.join(", ")
            };
            output.line(format!("{indent}{name:<16} {shown}"));
        }
        Value::String(s) if s.contains('\n') => {
            output.line(format!("{indent}{name}"));
            s.lines().for_each(|l| output.line(format!("{indent}  {l}")));
        }
        Value::String(s) if name == "published" || name == "time" => {
            let text = s.parse().map_or_else(|_| s.clone(), moment);
            output.line(format!("{indent}{name:<16} {text}"));
        }
        Value::String(s) => output.line(format!("{indent}{name:<16} {s}")),
        Value::Number(n) if name == "bytes" => {
            output.line(format!(
                "{indent}{name:<16} {}",
                Bytes(n.as_u64().unwrap_or_default())
            ));
        }
        Value::Number(n) if n.is_u64() => {
            output.line(format!(
                "{indent}{name:<16} {}",
                text::thousands(n.as_u64().unwrap_or_default())
            ));
        }
        other => output.line(format!("{indent}{name:<16} {other}")),
    }
}

pub(super) fn history(global: &Global, thing: &str, output: &Output) -> Result<Done, Error> {
    let address = address(thing)?;
    with(global, Access::Read, output, |instance| {
        let report = instance.history(&address)?;
        if output.is_json() {
            output.document(&report);
            return Ok(Done::Well);
        }
        for e in &report.changes {
            let reason = e
                .reason
                .as_deref()
                .map(|r| format!("  “{r}”"))
                .unwrap_or_default();
            output.line(format!(
                "{:>6}  {}  {:<10} {:<14} {}{reason}",
                e.seq,
                moment(e.time),
                e.who,
                e.by,
                e.what
            ));
            for f in &e.fields {
                let name = f.field.strip_prefix("spec.").unwrap_or(&f.field);
                let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                for (mark, style, side) in [("-", Style::Bad, &f.from), ("+", Style::Good, &f.to)] {
                    text(side).lines().for_each(|l| {
                        output.line(output.paint(style, &format!("          {mark} {name}: {l}")))
                    });
                }
            }
        }
        Ok(Done::Well)
    })
}
