//! Snapshots of all accounts in one body: each account's name and state, with their lengths before them.

use std::collections::BTreeMap;

use mainstay_control::{BadSnapshot, State};

/// Writes the states.
pub(crate) fn write(states: &BTreeMap<String, State>) -> Result<Vec<u8>, BadSnapshot> {
    let mut body = Vec::new();
    for (account, state) in states {
        let state = state.encode()?;
        for part in [account.as_bytes(), &state] {
            body.extend_from_slice(&(part.len() as u64).to_le_bytes());
            body.extend_from_slice(part);
        }
    }
    Ok(body)
}

/// Reads states; none if this is not what [`write`] wrote.
pub(crate) fn read(mut body: &[u8]) -> Option<BTreeMap<String, State>> {
    let mut states = BTreeMap::new();
    while !body.is_empty() {
        let account = String::from_utf8(part(&mut body)?.to_vec()).ok()?;
        states.insert(account, State::decode(part(&mut body)?).ok()?);
    }
    Some(states)
}

fn part<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = body.split_first_chunk::<8>()?;
    let (part, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    *body = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_come_back_and_half_a_snapshot_is_none() {
        let one = State {
            last_run: 7,
            ..State::default()
        };
        let states = BTreeMap::from([("main".to_owned(), one), ("other".to_owned(), State::default())]);
        let body = write(&states).expect("json");
        assert_eq!(read(&body), Some(states));
        assert_eq!(read(&body[..body.len() - 1]), None);
        assert_eq!(read(&body[..3]), None);
        assert_eq!(read(b""), Some(BTreeMap::new()));
    }
}
