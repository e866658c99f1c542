//! Deterministic numbers: everything the simulator invents is a pure function of the seed.

/// Spreads two numbers over 64 bits (the finaliser of SplitMix64).
pub(crate) fn mix(seed: u64, key: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(key)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of numbers that starts from a seed and a key.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream that belongs to `key` under `seed`.
    pub(crate) fn new(seed: u64, key: u64) -> Self {
        Self { state: mix(seed, key) }
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(0, self.state)
    }

    /// A number in `0..limit`; 0 where the limit is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    /// True in `per_mille` of a thousand cases.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of the items; the type's default where there are none.
    pub(crate) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let at = self.below(items.len() as u64);
        usize::try_from(at).ok().and_then(|at| items.get(at)).copied().unwrap_or_default()
    }
}

/// A permutation of `0..len` that can be walked in both directions without storing it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shuffle {
    len: u64,
    step: u64,
    back: u64,
    shift: u64,
}

impl Shuffle {
    /// The permutation of `0..len` that belongs to `seed`.
    pub(crate) fn new(len: u64, seed: u64) -> Self {
        let len = len.max(1);
        let mut step = mix(seed, len) % len;
        loop {
            if let Some(back) = inverse(step, len) {
                return Self { len, step, back, shift: mix(seed, 1) % len };
            }
            step = (step + 1) % len;
        }
    }

    /// The item at this rank.
    pub(crate) fn at(&self, rank: u64) -> u64 {
        (times(rank % self.len, self.step, self.len) + self.shift) % self.len
    }

    /// The rank of an item.
    pub(crate) fn rank_of(&self, item: u64) -> u64 {
        times((item % self.len + self.len - self.shift) % self.len, self.back, self.len)
    }
}

fn times(a: u64, b: u64, modulus: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) % u128::from(modulus)).unwrap_or(0)
}

/// The number that undoes multiplication by `a` modulo `modulus`, where there is one.
fn inverse(a: u64, modulus: u64) -> Option<u64> {
    if modulus == 1 {
        return Some(0);
    }
    let wide = i128::from(modulus);
    let (mut old, mut rest) = (i128::from(a), wide);
    let (mut factor, mut next) = (1_i128, 0_i128);
    while rest != 0 {
        let quotient = old / rest;
        (old, rest) = (rest, old - quotient * rest);
        (factor, next) = (next, factor - quotient * next);
    }
    if old == 1 { u64::try_from(factor.rem_euclid(wide)).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffle_is_a_permutation() {
        for len in [1, 2, 7, 100, 1_200] {
            let shuffle = Shuffle::new(len, 7);
            let mut seen: Vec<u64> = (0..len).map(|rank| shuffle.at(rank)).collect();
            assert!((0..len).all(|rank| shuffle.rank_of(shuffle.at(rank)) == rank), "length {len}");
            seen.sort_unstable();
            assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }
}
