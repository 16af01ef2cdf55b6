//! The smallest set of differences that still shows something: delta debugging (Zeller and Hildebrandt, Simplifying and
//! isolating failure-inducing input, 2002), by halving.

/// What came of asking for a smallest set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Smallest {
    /// The set; in it, no single member can be left out.
    pub(super) set: Vec<usize>,
    /// Whether it was searched to the end; if not, there may be a smaller one.
    pub(super) complete: bool,
}

/// Finds a subset of `all` for which `shows` holds and from which no single member can be left out. `all` must show it, and the
/// empty set must not. `shows` returns none if no more may be tried.
pub(super) fn ddmin<E>(
    all: Vec<usize>,
    shows: &mut dyn FnMut(&[usize]) -> Result<Option<bool>, E>,
) -> Result<Smallest, E> {
    let mut set = all;
    let mut parts = 2;
    while set.len() >= 2 {
        let mut next = None;
        let chunks = split(&set, parts);
        let rests = chunks.iter().map(|chunk| without(&set, chunk));
        // With two parts, the rest of one is the other.
        let rests: Vec<Vec<usize>> = if parts > 2 { rests.collect() } else { Vec::new() };
        let candidates = chunks
            .iter()
            .map(|c| (c, 2))
            .chain(rests.iter().map(|r| (r, (parts - 1).max(2))));
        for (candidate, then) in candidates {
            match shows(candidate)? {
                None => return Ok(Smallest { set, complete: false }),
                Some(true) => {
                    next = Some((candidate.clone(), then));
                    break;
                }
                Some(false) => {}
            }
        }
        match next {
            Some((smaller, then)) => (set, parts) = (smaller, then),
            None if parts < set.len() => parts = (parts * 2).min(set.len()),
            None => break,
        }
    }
    Ok(Smallest { set, complete: true })
}

fn split(set: &[usize], parts: usize) -> Vec<Vec<usize>> {
    let parts = parts.clamp(1, set.len().max(1));
    let (size, longer) = (set.len() / parts, set.len() % parts);
    let (mut rest, mut out) = (set, Vec::with_capacity(parts));
    for i in 0..parts {
        let (chunk, left) = rest.split_at(size + usize::from(i < longer));
        out.push(chunk.to_vec());
        rest = left;
    }
    out
}

fn without(set: &[usize], chunk: &[usize]) -> Vec<usize> {
    set.iter().filter(|i| !chunk.contains(i)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    fn smallest(n: usize, shows: &dyn Fn(&BTreeSet<usize>) -> bool) -> (Smallest, usize) {
        let mut asked = 0;
        let found = ddmin::<Infallible>((0..n).collect(), &mut |set| {
            asked += 1;
            Ok(Some(shows(&set.iter().copied().collect())))
        });
        (
            found.unwrap_or(Smallest {
                set: vec![],
                complete: false,
            }),
            asked,
        )
    }

    #[test]
    fn one_culprit_among_many_takes_a_logarithm_of_trials() {
        for n in 1..70 {
            for culprit in 0..n {
                let (found, asked) = smallest(n, &|set| set.contains(&culprit));
                assert_eq!(
                    found,
                    Smallest {
                        set: vec![culprit],
                        complete: true
                    }
                );
                assert!(
                    asked <= 2 * (usize::BITS - n.leading_zeros()) as usize,
                    "{n}: {asked}"
                );
            }
        }
    }

    /// Against all subsets: what is found shows it, and nothing can be left out of it.
    #[test]
    fn nothing_can_be_left_out() {
        let n = 8;
        // Every pair and triple that must come together, and either of two alternatives.
        for a in 0..n {
            for b in 0..n {
                for c in 0..n {
                    let shows = |set: &BTreeSet<usize>| {
                        (set.contains(&a) && set.contains(&b)) || (set.contains(&b) && set.contains(&c))
                    };
                    let (found, _) = smallest(n, &shows);
                    let set: BTreeSet<usize> = found.set.iter().copied().collect();
                    assert!(found.complete && shows(&set), "{a} {b} {c}: {set:?}");
                    for left_out in &set {
                        let mut fewer = set.clone();
                        fewer.remove(left_out);
                        assert!(fewer.is_empty() || !shows(&fewer), "{a} {b} {c}: {set:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn it_stops_when_it_must() {
        let mut left = 3;
        let found = ddmin::<Infallible>((0..64).collect(), &mut |set| {
            left -= 1;
            Ok((left > 0).then(|| set.contains(&63)))
        });
        let found = found.expect("infallible");
        assert!(!found.complete && found.set.contains(&63), "{found:?}");
    }
}
