//! Keys and notes, against the worked example of the Go checksum database, which nobody here wrote.

use super::*;

/// From the documentation of golang.org/x/mod/sumdb/note.
const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SIGNER: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn a_note_of_go_is_checked_and_signed_alike() {
    let verifier: VerifierKey = VERIFIER.parse().expect("a key");
    assert_eq!(verifier.to_string(), VERIFIER);
    let text = verifier.check(NOTE).expect("a good note");
    let signer: SigningKey = SIGNER.parse().expect("a key");
    assert_eq!(signer.verifier(), verifier);
    assert_eq!(signer.sign(text), NOTE);
}

#[test]
fn any_change_to_a_note_is_found() {
    let key: VerifierKey = VERIFIER.parse().expect("a key");
    for at in (0..NOTE.len()).step_by(5) {
        for bit in 0..8 {
            let mut bytes = NOTE.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            assert_eq!(
                key.check(&changed).expect_err("a bad note").kind(),
                Kind::Forged,
                "{at} {bit}"
            );
        }
    }
}

#[test]
fn signatures_of_others_are_passed_over() {
    let other = SigningKey::from_seed("other", [7; 32]).expect("a key");
    let text = "a\nb\n";
    let peter: SigningKey = SIGNER.parse().expect("a key");
    let line = peter
        .sign(text)
        .rsplit_once("\n\n")
        .expect("a signature")
        .1
        .to_owned();
    let both = format!("{}{line}", other.sign(text));
    assert_eq!(other.verifier().check(&both).expect("a good note"), text);
    assert_eq!(peter.verifier().check(&both).expect("a good note"), text);
    let namesake = SigningKey::from_seed("other", [8; 32]).expect("a key");
    assert_eq!(
        namesake.verifier().check(&both).expect_err("not signed").kind(),
        Kind::Forged
    );
}

#[test]
fn texts_that_are_no_keys() {
    for bad in [
        "",
        "a",
        "a+b",
        "a+c74f20a3+",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ] {
        assert_eq!(bad.parse::<VerifierKey>().expect_err(bad).kind(), Kind::Invalid);
    }
    for bad in ["", "a b", "a+b", "a\n"] {
        assert_eq!(
            SigningKey::from_seed(bad, [1; 32])
                .expect_err("a bad name")
                .kind(),
            Kind::Invalid
        );
    }
}

#[test]
fn a_key_file_is_its_owners_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    assert_eq!(SigningKey::load(&path).expect_err("no key").kind(), Kind::Missing);
    let key = SigningKey::load_or_create(&path, "mainstay/a").expect("a key");
    let again = SigningKey::load_or_create(&path, "mainstay/a").expect("a key");
    assert_eq!(key.verifier(), again.verifier());
    let beside = fs::read_to_string(folder.path().join("key.pub")).expect("the verifier key");
    assert_eq!(beside.parse::<VerifierKey>().expect("a key"), key.verifier());
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    assert_eq!(
        fs::metadata(&path).expect("a file").permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        SigningKey::load_or_create(&path, "mainstay/b")
            .expect_err("a name")
            .kind(),
        Kind::Invalid
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    assert_eq!(
        SigningKey::load(&path).expect_err("open to all").kind(),
        Kind::Invalid
    );
}
