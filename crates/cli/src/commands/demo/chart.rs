//! A bar chart in text.

use mainstay_base::text;
use serde_json::Value;

/// How wide the longest bar is.
const WIDTH: f64 = 44.0;

/// Draws one bar a row: its label, the bar, the value, and a share beside it.
pub(super) fn bars(rows: &[Value], label: &str, value: &str, share: &str) -> Vec<String> {
    let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_f64).unwrap_or_default();
    let most = rows.iter().map(|r| number(r, value)).fold(1.0, f64::max);
    let line = |row: &Value| {
        let name = row.get(label).and_then(Value::as_str).unwrap_or_default();
        let amount = number(row, value);
        let eighths = (amount / most * WIDTH * 8.0).round() as usize;
        let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
            .get(eighths % 8)
            .copied()
            .unwrap_or_default();
        let bar = format!("{}{part}", "█".repeat(eighths / 8));
        let name: String = name.chars().take(7).collect();
        format!(
            "  {name} {bar:<45} {:>6}  {:>4.1} %",
            text::thousands(amount as u64),
            number(row, share)
        )
    };
    rows.iter().map(line).collect()
}
