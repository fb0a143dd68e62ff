//! Pseudo-random numbers that depend only on a seed.

/// The generator `SplitMix64`, which is fast and good enough for generated data.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 to below `end`, or 0 if `end` is 0.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.roll() % end }
    }

    pub(super) const fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from).saturating_add(1))
    }

    pub(super) const fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Returns an item of a list. `None` only for an empty list.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> Option<&'a T> {
        list.get(self.below(list.len() as u64) as usize).copied()
    }

    /// Returns a text of a list. Empty for an empty list.
    pub(super) fn word(&mut self, list: &[&'static str]) -> &'static str {
        self.pick(list).unwrap_or_default()
    }

    /// Returns a number that is mostly small and sometimes large. It is doubled up to `doublings` times, each time with
    /// a probability of 55 %.
    pub(super) const fn skewed(&mut self, base: u64, doublings: u32) -> u64 {
        let mut size = base;
        let mut left = doublings;
        while left > 0 && self.percent(55) {
            size *= 2;
            left -= 1;
        }
        self.between(size / 2, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same() {
        let (mut a, mut b) = (Dice::new(7), Dice::new(7));
        for _ in 0..100 {
            assert_eq!(a.roll(), b.roll());
        }
        assert_ne!(Dice::new(7).roll(), Dice::new(8).roll());
    }

    #[test]
    fn stays_within_its_bounds() {
        let mut dice = Dice::new(1);
        for _ in 0..1_000 {
            assert!((3..=5).contains(&dice.between(3, 5)));
            assert!((1..=16).contains(&dice.skewed(2, 3)));
        }
        assert_eq!(dice.below(0), 0);
    }
}
