//! Rows as JSON for people and scripts: an array of objects whose keys are in the order of the columns.

use std::io::{self, Write};

/// Writes compact JSON with line breaks and indents; nothing else of it changes.
pub(super) fn indent(compact: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut depth = 0usize;
    let mut bytes = compact.iter().copied().peekable();
    while let Some(b) = bytes.next() {
        match b {
            b'"' => {
                out.write_all(b"\"")?;
                let mut escaped = false;
                for b in bytes.by_ref() {
                    out.write_all(&[b])?;
                    match b {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'{' | b'[' => {
                out.write_all(&[b])?;
                // What is empty stays on its line.
                match bytes.peek() {
                    Some(b'}' | b']') => out.write_all(&[bytes.next().unwrap_or_default()])?,
                    _ => {
                        depth += 1;
                        line(depth, out)?;
                    }
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(depth, out)?;
                out.write_all(&[b])?;
            }
            b',' => {
                out.write_all(b",")?;
                line(depth, out)?;
            }
            b':' => out.write_all(b": ")?,
            b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => out.write_all(&[b])?,
        }
    }
    Ok(())
}

fn line(depth: usize, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"\n")?;
    (0..depth).try_for_each(|_| out.write_all(b"  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_the_same_as_the_compact_text_and_keeps_the_order_of_keys() {
        let compact = r#"[{"b":1.50,"a":"x, {\"y\": [\\"},{"b":null,"a":{"n":[],"m":[1,2],"o":{}}}]"#;
        let mut out = Vec::new();
        indent(compact.as_bytes(), &mut out).expect("written");
        let text = String::from_utf8(out).expect("text");
        let value = |t: &str| serde_json::from_str::<serde_json::Value>(t).expect("JSON");
        assert_eq!(value(&text), value(compact));
        assert!(text.starts_with("[\n  {\n    \"b\": 1.50,\n    \"a\""), "{text}");
        assert!(text.contains("\"n\": [],"), "{text}");
    }
}
