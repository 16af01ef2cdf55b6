//! Headers: there and back, and byte for byte as the format says.

use proptest::prelude::*;

use super::*;

fn encoded(seq: u64, draft: &Draft, erases: Option<u64>, body_hash: &Hash) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out, seq, draft, erases, body_hash).expect("a header");
    out
}

prop_compose! {
    fn drafts()(
        time: i64, account in ".{0,9}", actor in ".{0,9}", request in proptest::option::of(".{0,9}"), kind in ".{0,9}",
        kind_version: u16, ignorable: bool, subject in ".{0,20}", reason in proptest::option::of(".{0,40}"),
        cause: Option<u64>, body: Vec<u8>,
    ) -> Draft {
        let time = Timestamp::from_micros(time);
        Draft { time, account, actor, request, kind, kind_version, ignorable, subject, reason, cause, body }
    }
}

proptest! {
    #[test]
    fn headers_come_back(draft in drafts(), seq: u64, erases: Option<u64>, salt: [u8; SALT]) {
        let stored = [salt.as_slice(), &draft.body].concat();
        let header = encoded(seq, &draft, erases, &sha256(&[&stored]));
        let record = with_body(decode(&header).expect("a record"), &stored).expect("a body");
        prop_assert_eq!((record.seq, record.erases), (seq, erases));
        let Record { time, account, actor, request, kind, kind_version, ignorable, subject, reason, cause, .. } = record;
        let body = record.body.expect("a body");
        let back = Draft { time, account, actor, request, kind, kind_version, ignorable, subject, reason, cause, body };
        prop_assert_eq!(back, draft);
        for end in 0..header.len() {
            prop_assert!(decode(&header[..end]).is_err());
        }
        prop_assert!(decode(&[header, vec![0]].concat()).is_err());
    }
}

#[test]
fn a_header_byte_for_byte() {
    let draft = Draft {
        time: Timestamp::from_micros(0x0102),
        account: "main".into(),
        actor: "ada".into(),
        request: Some("r".into()),
        kind: "k".into(),
        kind_version: 3,
        ignorable: true,
        subject: "s".into(),
        reason: Some("why".into()),
        cause: Some(7),
        body: vec![],
    };
    let header = encoded(9, &draft, Some(5), &Hash::from_bytes([0xAA; 32]));
    let expected = [
        "01 1f 0900000000000000 0201000000000000 0300 0700000000000000 0500000000000000",
        "0400 6d61696e 0300 616461 0100 6b 0100 73 0100 72 0300 776879",
        &"aa".repeat(32),
    ];
    let expected = expected.concat().replace(' ', "");
    assert_eq!(data_encoding::HEXLOWER.encode(&header), expected);
}

#[test]
fn a_text_that_does_not_fit() {
    let draft = Draft {
        reason: Some("x".repeat(65_536)),
        ..Draft::default()
    };
    let error = check_size(&draft).expect_err("too long");
    assert_eq!(error.kind(), Kind::Invalid);
}

#[test]
fn a_header_of_tomorrow() {
    let mut header = encoded(1, &Draft::default(), None, &Hash::default());
    header[0] = 2;
    assert_eq!(decode(&header).expect_err("newer").kind(), Kind::Newer);
}
