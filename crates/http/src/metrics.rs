//! What Prometheus reads: what the server counts, and what the home says of itself, as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mainstay_server::metrics::{Family, Histogram, Kind};

/// What was answered, by account, operation and status; and how long it took.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    answered: Mutex<BTreeMap<(String, String, u16), u64>>,
    times: Mutex<BTreeMap<String, Histogram>>,
}

impl Counts {
    pub(crate) fn answered(&self, account: &str, operation: &str, status: u16, took: Duration) {
        let key = (account.to_owned(), operation.to_owned(), status);
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered.entry(key).or_default() += 1;
        drop(answered);
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.entry(account.to_owned()).or_default().add(took);
    }

    /// What was counted for an account; for all of them if none is named.
    pub(crate) fn families(&self, account: Option<&str>) -> Vec<Family> {
        let mut requests = Family::new(
            "mainstay_http_requests_total",
            Kind::Counter,
            "Requests that were answered, by account, operation and status.",
        );
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        for ((of, operation, status), n) in answered.iter() {
            if account.is_none_or(|a| a == of) {
                let labels = [
                    ("account", of.as_str()),
                    ("operation", operation),
                    ("status", &status.to_string()),
                ];
                requests.add(&labels, *n as f64);
            }
        }
        drop(answered);
        let mut seconds = Family::new(
            "mainstay_http_request_seconds",
            Kind::Histogram,
            "How long it took to answer requests, waiting included.",
        );
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        for (of, times) in times.iter().filter(|(of, _)| account.is_none_or(|a| a == *of)) {
            seconds.add_histogram(&[("account", of)], times);
        }
        vec![requests, seconds]
    }
}

/// Writes families in Prometheus' text format, version 0.0.4.
pub(crate) fn text(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families.iter().filter(|f| !f.samples.is_empty()) {
        let (name, kind) = (family.name, family.kind.name());
        // Writing to a text does not fail.
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
        for sample in &family.samples {
            let _ = write!(out, "{name}{}", sample.suffix);
            if !sample.labels.is_empty() {
                let labels = sample.labels.iter();
                let labels: Vec<String> = labels.map(|(n, v)| format!("{n}=\"{}\"", escaped(v))).collect();
                let _ = write!(out, "{{{}}}", labels.join(","));
            }
            let _ = writeln!(out, " {}", sample.value);
        }
    }
    out
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_reads() {
        let counts = Counts::default();
        counts.answered("main", "query", 200, Duration::from_millis(3));
        counts.answered("main", "query", 200, Duration::from_secs(100));
        counts.answered("ot\"h\\er", "query", 403, Duration::from_millis(1));
        let all = text(&counts.families(None));
        assert!(
            all.contains("# TYPE mainstay_http_requests_total counter"),
            "{all}"
        );
        let line = r#"mainstay_http_requests_total{account="main",operation="query",status="200"} 2"#;
        assert!(all.contains(line), "{all}");
        assert!(all.contains(r#"account="ot\"h\\er""#), "{all}");
        let bucket = r#"mainstay_http_request_seconds_bucket{account="main",le="0.005"} 1"#;
        assert!(all.contains(bucket), "{all}");
        assert!(all.contains(r#"mainstay_http_request_seconds_bucket{account="main",le="+Inf"} 2"#));
        assert!(all.contains(r#"mainstay_http_request_seconds_count{account="main"} 2"#));
        let own = text(&counts.families(Some("main")));
        assert!(!own.contains(r#"account="ot"#), "{own}");
    }
}
