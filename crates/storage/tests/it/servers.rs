//! S3-like servers: one that answers, and two that do not.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use mainstay_storage::{ConditionalPut, Environment, Kind, open_glob_with, open_with};

use crate::server::{Server, free_port};

#[tokio::test]
async fn a_real_server_does_what_a_folder_does() {
    let Some(server) = Server::start("lake") else {
        return;
    };
    let env = server.environment();
    let store = open_with("s3://lake/some/prefix", Path::new("/"), &env).expect("a store");
    assert_eq!(store.url().as_str(), "s3://lake/some/prefix/");
    store.put("air/a.csv", "x\n1\n".into()).await.expect("a put");
    store.put("air/_b.csv", "x\n1\n".into()).await.expect("a put");
    assert!(!store.put_if_absent("air/a.csv", "y".into()).await.expect("a put"));
    assert!(
        store
            .put_if_absent("air/c/c.csv", "y".into())
            .await
            .expect("a put")
    );
    assert_eq!(
        store.read("air/none").await.expect_err("nothing").kind,
        Kind::NotFound
    );

    let (place, pattern) =
        open_glob_with("s3://lake/some/prefix/**/*.csv", Path::new("/"), &env).expect("a place");
    let found = place.list(&pattern).await.expect("a list");
    let seen: Vec<_> = found.iter().map(|f| (f.path.as_str(), f.url.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("air/a.csv", "s3://lake/some/prefix/air/a.csv"),
            ("air/c/c.csv", "s3://lake/some/prefix/air/c/c.csv")
        ]
    );
    assert!(found[0].etag.is_some());

    assert_eq!(
        store.probe_conditional_put("p").await.expect("a probe"),
        ConditionalPut::Exclusive
    );
    assert_eq!(store.folders("").await.expect("folders"), ["air"]);
    assert_eq!(store.delete_prefix("air").await.expect("removed"), 3);
    assert_eq!(store.list("**").await.expect("a list"), []);

    let nowhere = open_with("s3://no-such-bucket/x", Path::new("/"), &env).expect("a store");
    assert_eq!(
        nowhere.put("a", "x".into()).await.expect_err("no bucket").kind,
        Kind::NotFound
    );
}

async fn fails_in_time(endpoint: String) {
    let env: Environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "y"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    let store = open_with("s3://lake/x", Path::new("/"), &env).expect("a store");
    let start = Instant::now();
    let e = store.read("a").await.expect_err("nobody answers");
    assert_eq!(e.kind, Kind::Unreachable, "{e:?}");
    assert!(
        e.to_string().contains("s3://lake/x/a: the store does not answer"),
        "{e}"
    );
    assert!(start.elapsed() < Duration::from_secs(11), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_server_that_is_down_is_unreachable() {
    fails_in_time(format!("http://127.0.0.1:{}", free_port())).await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_unreachable() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    fails_in_time(format!("http://127.0.0.1:{port}")).await;
}
