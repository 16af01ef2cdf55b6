//! The choices that a case is made of: numbers, drawn from a seed or given.
//!
//! Everything in a case follows from its choices, and 0 is always the simplest one. So a case that fails is shrunk by leaving
//! choices out and making them smaller, whatever they stand for: a step, a job, a row or a clause. Knows nothing of cases.

/// A source of choices that remembers them.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    given: Option<Vec<u32>>,
    seed: u64,
    taken: Vec<u32>,
    spans: Vec<(usize, usize)>,
}

/// The choices that were taken, and which of them belong together.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) choices: Vec<u32>,
    pub(crate) spans: Vec<(usize, usize)>,
}

/// The next of a seed's random numbers (splitmix64; Steele, Lea and Flood, 2014).
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Choices {
    /// Draws from a seed.
    pub(crate) fn random(seed: u64) -> Self {
        // Neighbouring seeds must not give shifted copies of one sequence.
        let mut mixed = seed;
        let seed = next(&mut mixed);
        Self {
            given: None,
            seed,
            taken: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Takes these, and 0 when there are no more.
    pub(crate) fn given(choices: Vec<u32>) -> Self {
        Self {
            given: Some(choices),
            seed: 0,
            taken: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Returns what was taken.
    pub(crate) fn taken(self) -> Taken {
        Taken {
            choices: self.taken,
            spans: self.spans,
        }
    }

    /// Chooses a number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = u32::try_from(n).unwrap_or(u32::MAX).max(1);
        let choice = match &self.given {
            Some(given) => given.get(self.taken.len()).copied().unwrap_or(0).min(n - 1),
            None => (next(&mut self.seed) % u64::from(n)) as u32,
        };
        self.taken.push(choice);
        choice as usize
    }

    /// Says yes `n` times of `of`; the simple answer is no.
    pub(crate) fn chance(&mut self, n: usize, of: usize) -> bool {
        self.below(of) >= of - n
    }

    /// Chooses one of these; the first is the simplest.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.below(of.len());
        &of[at]
    }

    /// Chooses a place by weights; the first is the simplest.
    pub(crate) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut at = self.below(weights.iter().sum());
        for (i, weight) in weights.iter().enumerate() {
            if at < *weight {
                return i;
            }
            at -= weight;
        }
        0
    }

    /// Marks the choices that `make` takes as belonging together.
    pub(crate) fn span<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.mark();
        let made = make(self);
        self.close(mark);
        made
    }

    /// Begins what belongs together; [`Choices::close`] ends it.
    pub(crate) const fn mark(&self) -> usize {
        self.taken.len()
    }

    /// Ends what began at a mark.
    pub(crate) fn close(&mut self, mark: usize) {
        self.spans.push((mark, self.taken.len()));
    }

    /// Makes between `least` and `most` things, each of which can be left out.
    pub(crate) fn many<T>(
        &mut self,
        least: usize,
        most: usize,
        mut make: impl FnMut(&mut Self, usize) -> T,
    ) -> Vec<T> {
        let mut made = Vec::new();
        while made.len() < most {
            let at = made.len();
            let one = self.span(|c| (at < least || c.chance(4, 5)).then(|| make(c, at)));
            match one {
                Some(one) => made.push(one),
                None => break,
            }
        }
        made
    }
}

#[test]
fn given_choices_repeat_a_case() {
    let draw = |c: &mut Choices| c.many(1, 9, |c, _| (c.below(7), c.chance(1, 3), c.weighted(&[1, 5])));
    let mut first = Choices::random(5);
    let made = draw(&mut first);
    let mut again = Choices::given(first.taken().choices);
    assert_eq!(draw(&mut again), made);
    assert_eq!(draw(&mut Choices::given(Vec::new())).len(), 1);
}
