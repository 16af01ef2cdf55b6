//! Beyond this machine there is no plain HTTP.

use mainstay_sim::Sandbox;

use super::Server;
use super::http::raw;

#[test]
fn beyond_this_machine_it_is_encrypted_by_its_own_authority() {
    let sandbox = Sandbox::shop();
    let _ = sandbox.run(["trust"]).expect_status(2);
    let server = Server::start_as(&sandbox, &["serve", "--listen", "0.0.0.0:0", "--json"]);
    let port = server
        .address
        .rsplit_once(':')
        .map(|(_, p)| p.to_owned())
        .expect("a port");
    let token = server.owner.clone().expect("a token");
    let url = format!("https://localhost:{port}");
    let authority = sandbox.run(["trust"]).expect_status(0).stdout;
    assert!(authority.contains("BEGIN CERTIFICATE"));
    sandbox.write("ca.pem", &authority);

    let away = Sandbox::shop()
        .with("MAINSTAY_TOKEN", &token)
        .with("MAINSTAY_SERVER", &url);
    let untrusted = away.run(["apply"]).expect_status(6);
    assert!(untrusted.stderr.contains("MS0807"), "{}", untrusted.stderr);
    let ca = sandbox.path().join("ca.pem").display().to_string();
    let away = away.with("MAINSTAY_CA", &ca);
    let _ = away.run(["apply"]).expect_status(0);
    let _ = away.run(["run"]).expect_status(0);
    let n = away.query("SELECT count(*) AS n FROM shop.daily_sales");
    assert!(n[0]["n"].as_i64() > Some(0), "{n}");
    assert!(
        !away.path().join(".mainstay/journal.db").exists(),
        "nothing was done here"
    );
    let _ = away.run(["journal", "verify"]).expect_status(0);
    let here_only = away.run(["trust"]).expect_status(2);
    assert!(here_only.stderr.contains("MS0822"));

    let plain = raw(
        &format!("127.0.0.1:{port}"),
        b"GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert!(plain.is_none(), "{plain:?}");
    let key = sandbox.path().join(".mainstay/tls/authority.key");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&key).expect("a key"));
    assert_eq!(mode & 0o777, 0o600);
    server.end();
    // The authority stays what it was.
    let server = Server::start_as(&sandbox, &["serve", "--listen", "0.0.0.0:0", "--json"]);
    assert_eq!(sandbox.run(["trust"]).expect_status(0).stdout, authority);
    server.end();
}
