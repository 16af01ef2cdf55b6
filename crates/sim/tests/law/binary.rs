//! Commands of the real binary in a project's folder.

use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_api::{Error, ErrorKind};
use serde_json::Value as Json;

/// Runs a command to its end; none if it was killed at the step `kill`.
pub(crate) fn command(root: &Path, arguments: &[&str], kill: Option<&str>) -> Option<Result<Json, Error>> {
    let mut command = Command::new(mainstay_sim::binary());
    command.env_clear().args(arguments).current_dir(root);
    command
        .env("HOME", root)
        .env("MAINSTAY_USER", "ana")
        .env("PATH", "/usr/bin:/bin");
    if let Some(kill) = kill {
        command.env("MAINSTAY_KILL_AT", kill);
    }
    let output = command.stdin(Stdio::null()).output().expect("the binary starts");
    output.status.code()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let json: Json = serde_json::from_str(&said).unwrap_or_default();
    if json["error"].is_object() || json.is_null() && !output.status.success() {
        let error = serde_json::from_value(json["error"].clone());
        // A correction that could not be made says why in its report.
        let word = |field: &str| json["error"][field].as_str().map(str::to_owned);
        let stderr = || String::from_utf8_lossy(&output.stderr).into_owned();
        let own = |_| {
            let (code, message) = (word("code"), word("message"));
            let code = code.unwrap_or_else(|| "MS0901".to_owned());
            Error::new(ErrorKind::Failed, code, message.unwrap_or_else(stderr))
        };
        return Some(Err(error.unwrap_or_else(own)));
    }
    Some(Ok(json))
}

/// Says whether the binary has a command of this name.
pub(crate) fn has(name: &str) -> bool {
    let asked = Command::new(mainstay_sim::binary())
        .args([name, "--help"])
        .stdin(Stdio::null())
        .output();
    asked.is_ok_and(|o| o.status.success())
}
