//! The journal proves itself: verification, proofs, and damage that is found.

use mainstay_sim::Sandbox;

fn ran() -> Sandbox {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s
}

#[test]
fn a_fact_is_proven_with_nothing_but_the_proof_and_the_key() {
    let s = ran();
    let verified = s.run(["journal", "verify", "--json"]).expect_status(0).json();
    assert_eq!(verified["ok"], true);
    let proof = s.run(["journal", "prove", "2"]).expect_status(0).stdout;
    let elsewhere = Sandbox::new();
    elsewhere.write("fact.json", &proof);
    let key = std::fs::read_dir(s.path().join(".mainstay")).expect("the home");
    let key = key
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "pub"))
        .expect("a public key");
    elsewhere.write("key.pub", std::fs::read(key).expect("the key"));
    let checked = elsewhere
        .run(["journal", "check", "fact.json", "--key", "key.pub", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(checked["fact"]["seq"], 2);
    // Whoever gives the private key by mistake does not find it in a log.
    let private = std::fs::read_to_string(s.path().join(".mainstay/journal.key")).expect("the key");
    elsewhere.write("journal.key", &private);
    let wrong = elsewhere
        .run(["journal", "check", "fact.json", "--key", "journal.key"])
        .expect_status(2);
    assert!(wrong.stderr.contains("private key"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains(private.trim()), "{}", wrong.stderr);
    let beyond = s.run(["journal", "verify", "--since", "99"]).expect_status(2);
    assert!(beyond.stderr.contains("the newest is"), "{}", beyond.stderr);
    elsewhere.write("fact.json", proof.replacen("\"seq\": 2", "\"seq\": 3", 1));
    let _ = elsewhere
        .run(["journal", "check", "fact.json", "--key", "key.pub"])
        .expect_status(7);
}

#[test]
fn a_flipped_bit_is_found() {
    let s = ran();
    let path = s.path().join(".mainstay/journal.db");
    let mut bytes = std::fs::read(&path).expect("the journal");
    let needle = b"shop.daily_sales";
    let at = bytes
        .windows(needle.len())
        .rposition(|w| w == needle)
        .expect("a fact about it");
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let out = s.run(["journal", "verify", "--json"]);
    assert_eq!(out.status, Some(7), "{out:?}");
}

#[test]
fn a_journal_of_older_facts_opens() {
    let s = Sandbox::shop();
    let specimen =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/facts-1/journal.db");
    s.write(
        ".mainstay/journal.db",
        std::fs::read(specimen).expect("the specimen"),
    );
    let versions = s.query("SELECT version FROM system.facts WHERE kind = 'run.finished'");
    assert_eq!(versions[0]["version"], 1);
    let runs = s.run(["runs", "--json"]).expect_status(0).json();
    assert_eq!(
        (&runs["runs"][0]["outcome"], &runs["runs"][0]["reused"]),
        (&"succeeded".into(), &false.into())
    );
    let _ = s.run(["journal", "verify"]).expect_status(0);
    // The specimen has no data, so the run fails; how it ended is written in today's version.
    let _ = s.run(["run", "--force"]).expect_status(1);
    let versions = s.query("SELECT version FROM system.facts WHERE kind = 'run.finished' ORDER BY seq");
    assert_eq!(
        (&versions[0]["version"], &versions[1]["version"]),
        (&1.into(), &2.into())
    );
}

#[test]
fn the_journal_says_who_and_why() {
    let s = Sandbox::shop();
    let _ = s.run(["apply", "--reason", "opening the shop"]).expect_status(0);
    let facts = s
        .run(["journal", "--kind", "project.applied", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(facts["facts"][0]["who"], "ana");
    assert_eq!(facts["facts"][0]["reason"], "opening the shop");
    let rows = s.query("SELECT seq, actor FROM system.facts WHERE kind = 'project.applied'");
    assert_eq!(rows[0]["actor"], "ana");
}
