//! Counters and histograms. An update is a few atomic additions, without locks and allocations.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of durations in microseconds, from half a millisecond to ten seconds.
pub const DURATIONS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000];
/// Upper bounds of short computations in microseconds.
pub const COMPUTATIONS: &[u64] = &[5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 100_000];
/// Upper bounds of numbers of commands in one commit.
pub const BATCHES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Distribution of values over ranges.
#[derive(Debug)]
pub struct Histogram {
    /// Largest value of each range, ascending.
    bounds: &'static [u64],
    /// Number of values in each range; the last one is above all bounds.
    numbers: Box<[Counter]>,
    sum: Counter,
}

/// Content of a histogram at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    pub bounds: &'static [u64],
    /// Number of values in each range, one more than bounds.
    pub numbers: Vec<u64>,
    pub sum: u64,
}

impl Histogram {
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, numbers: (0..=bounds.len()).map(|_| Counter::default()).collect(), sum: Counter::default() }
    }

    pub fn observe(&self, value: u64) {
        let range = self.bounds.partition_point(|bound| *bound < value);
        if let Some(number) = self.numbers.get(range) {
            number.add(1);
        }
        self.sum.add(value);
    }

    /// Observes a duration in microseconds. A negative one counts as 0.
    pub fn observe_micros(&self, micros: i64) {
        self.observe(u64::try_from(micros).unwrap_or_default());
    }

    #[must_use]
    pub fn distribution(&self) -> Distribution {
        let numbers = self.numbers.iter().map(Counter::get).collect();
        Distribution { bounds: self.bounds, numbers, sum: self.sum.get() }
    }
}

impl Distribution {
    /// Returns the number of all values.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.numbers.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_belongs_to_the_first_range_whose_bound_is_not_smaller() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, 1_000] {
            histogram.observe(value);
        }
        histogram.observe_micros(-5);
        let distribution = histogram.distribution();
        assert_eq!(distribution.numbers, [3, 2, 2]);
        assert_eq!((distribution.sum, distribution.total()), (1_024, 7));
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [DURATIONS, COMPUTATIONS, BATCHES] {
            assert!(bounds.is_sorted());
        }
    }
}
