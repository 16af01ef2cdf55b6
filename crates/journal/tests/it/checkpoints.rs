//! Checkpoints and proofs, as a stranger sees them.

use mainstay_base::Hash;
use mainstay_journal::{Checkpoint, Kind, Proof, SigningKey, check_proof, is_beginning};

use crate::place::{draft, everywhere, fill, key, read, write};

#[test]
fn a_checkpoint_as_text() {
    everywhere(|place| {
        let mut journal = write(place);
        fill(&mut journal, &[3]);
        let key = key(&journal);
        let checkpoint = journal.checkpoint(&key).expect("a checkpoint");
        insta::allow_duplicates! { insta::assert_snapshot!(checkpoint.note(), @r"
        mainstay/kq3a5ivexx7m6xhh
        3
        F9m8S5khNpH1bJyTfXdMTQcfoQVuHjxxxttwIapd6b8=
        frame 1 r58VYLPOVESp11buXm+igK+qcarcfAfQXFxKSaMHJUA=

        — mainstay/kq3a5ivexx7m6xhh O3R7m/DJ7NOUyQ9CWqSQHLdr7aTefNuMmimHNklvbd4IOOgdNAgsvwg45NoiXnmvhemOQfYTR2dCh1wot1nzpXgyuQY=
        ") };
        assert_eq!(
            Checkpoint::parse(checkpoint.note()).expect("a checkpoint"),
            checkpoint
        );
        checkpoint.check(&key.verifier()).expect("a good signature");
        assert_eq!((checkpoint.size, checkpoint.root), (3, journal.root()));
        assert_eq!(journal.checkpoint(&key).expect("the same"), checkpoint);
        let found = journal
            .verify(&Default::default(), &mut |_, _| {})
            .expect("a verification");
        assert_eq!((found.ok, found.checkpoints), (true, 1), "{found:?}");
        let other = SigningKey::from_seed("other", [3; 32]).expect("a key");
        assert_eq!(
            journal.checkpoint(&other).expect_err("another's key").kind(),
            Kind::Invalid
        );
    });
}

#[test]
fn records_are_proven_to_a_stranger() {
    everywhere(|place| {
        let mut journal = write(place);
        let key = key(&journal);
        let vkey = key.verifier().to_string();
        fill(&mut journal, &[1, 299, 400]);
        assert_eq!(journal.prove(5).expect_err("no checkpoint").kind(), Kind::Missing);
        journal.checkpoint(&key).expect("a checkpoint");
        journal.erase(20, draft(701)).expect("a receipt");
        for seq in [1, 2, 20, 255, 256, 257, 512, 513, 699, 700] {
            let proof = read(place).prove(seq).expect("a proof");
            let text = serde_json::to_string(&proof).expect("a text");
            let proof: Proof = serde_json::from_str(&text).expect("a proof");
            let proven = check_proof(&proof, &vkey).expect("it holds");
            assert_eq!(proven.record, journal.record(seq).expect("a record"));
            assert_eq!(proven.checkpoint.size, 700);
        }
        assert_eq!(
            journal.prove(701).expect_err("not covered yet").kind(),
            Kind::Missing
        );
        assert_eq!(journal.prove(702).expect_err("none").kind(), Kind::Missing);
        assert_eq!(journal.prove(0).expect_err("none").kind(), Kind::Missing);
    });
}

#[test]
fn a_changed_proof_does_not_hold() {
    let place = crate::place::Memory::default();
    let mut journal = write(&place);
    let key = key(&journal);
    let vkey = key.verifier().to_string();
    fill(&mut journal, &[300]);
    journal.checkpoint(&key).expect("a checkpoint");
    let (proof, other) = (
        journal.prove(77).expect("a proof"),
        journal.prove(78).expect("a proof"),
    );
    let refused = |proof: &Proof| check_proof(proof, &vkey).expect_err("it does not hold").kind();

    let change = |text: &str, at: usize| -> String {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("a text")
    };
    for at in (0..proof.header.len()).step_by(7) {
        let changed = refused(&Proof {
            header: change(&proof.header, at),
            ..proof.clone()
        });
        assert!(
            changed == Kind::Forged || (changed == Kind::Newer && at < 2),
            "{at}"
        );
    }
    let body = proof.body.clone().expect("a body");
    for at in 0..body.trim_end_matches('=').len() {
        assert_eq!(
            refused(&Proof {
                body: Some(change(&body, at)),
                ..proof.clone()
            }),
            Kind::Forged
        );
    }
    for at in 0..proof.path.len() {
        let mut changed = proof.clone();
        changed.path[at] = change(&proof.path[at], 5);
        assert_eq!(refused(&changed), Kind::Forged);
        changed.path.remove(at);
        assert_eq!(refused(&changed), Kind::Forged);
    }
    for at in
        (0..proof.checkpoint.len()).filter(|at| proof.checkpoint.as_bytes()[*at].is_ascii_alphanumeric())
    {
        let changed = Proof {
            checkpoint: change(&proof.checkpoint, at),
            ..proof.clone()
        };
        assert_eq!(refused(&changed), Kind::Forged, "{at}");
    }
    for changed in [
        Proof {
            seq: 78,
            ..proof.clone()
        },
        Proof {
            header: other.header.clone(),
            ..proof.clone()
        },
        Proof {
            body: other.body.clone(),
            ..proof.clone()
        },
        Proof {
            path: other.path.clone(),
            ..proof.clone()
        },
        Proof {
            body: Some(String::new()),
            ..proof.clone()
        },
    ] {
        assert_eq!(refused(&changed), Kind::Forged);
    }
    assert_eq!(
        refused(&Proof {
            format: "mainstay-proof-v2".into(),
            ..proof.clone()
        }),
        Kind::Newer
    );

    let namesake = SigningKey::from_seed(journal.origin(), [4; 32])
        .expect("a key")
        .verifier()
        .to_string();
    assert_eq!(
        check_proof(&proof, &namesake).expect_err("another's key").kind(),
        Kind::Forged
    );
    assert_eq!(
        check_proof(&proof, "nonsense").expect_err("no key").kind(),
        Kind::Invalid
    );
    assert!(check_proof(&proof, &vkey).is_ok());
}

#[test]
fn a_journal_grows_out_of_its_earlier_self() {
    everywhere(|place| {
        let mut journal = write(place);
        let key = key(&journal);
        let mut checkpoints = Vec::new();
        for count in [1, 2, 253, 1, 300, 5] {
            fill(&mut journal, &[count]);
            checkpoints.push(journal.checkpoint(&key).expect("a checkpoint"));
        }
        for old in &checkpoints {
            for new in checkpoints.iter().filter(|new| new.size >= old.size) {
                let proof = journal.prove_growth(old.size, new.size).expect("a proof");
                assert!(is_beginning((old.size, &old.root), (new.size, &new.root), &proof));
                let other = Hash::of(b"other");
                assert!(!is_beginning((old.size, &other), (new.size, &new.root), &proof));
                assert!(!is_beginning((old.size, &old.root), (new.size, &other), &proof));
            }
        }
        assert_eq!(
            journal.prove_growth(1, 1000).expect_err("too many").kind(),
            Kind::Missing
        );
    });
}
