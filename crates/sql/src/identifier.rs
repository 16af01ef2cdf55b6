//! Names in SQL text that is made by programs.

/// Writes a column's name so that it means that column, whatever it is made of.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_quote_in_a_name_does_not_end_it() {
        assert_eq!(quoted("day"), r#""day""#);
        assert_eq!(quoted(r#"a "b" c"#), r#""a ""b"" c""#);
    }
}
