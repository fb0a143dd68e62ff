//! Prints the results of a load test.

use std::{collections::BTreeMap, time::Duration};

use crate::cli::output::say;

/// Latencies in ascending order.
pub(super) struct Latencies(Vec<Duration>);

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Self {
        let mut latencies: Vec<Duration> = latencies.into_iter().collect();
        latencies.sort_unstable();
        Self(latencies)
    }
}

impl Latencies {
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns a percentile in milliseconds, by nearest rank; 100 is the greatest latency.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        self.0.get(rank).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
    }
}

pub(super) fn posted(count: usize, took: Duration, latencies: &Latencies, errors: &[&String]) {
    say(format_args!("posted         {count} in {:.2} s", took.as_secs_f64()));
    say(format_args!("rate           {:.0} per second", count as f64 / took.as_secs_f64().max(0.001)));
    say(format_args!(
        "latency        p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        latencies.percentile(50),
        latencies.percentile(90),
        latencies.percentile(99),
        latencies.percentile(100)
    ));
    say(format_args!("errors         {}", errors.len()));
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for error in errors {
        *kinds.entry(error).or_default() += 1;
    }
    for (error, times) in kinds.into_iter().take(10) {
        say(format_args!("  {times} times: {error}"));
    }
}

pub(super) fn verified(count: usize, took: Duration, wrong: &[String]) {
    say(format_args!(
        "verified       {count} in {:.2} s, {:.0} per second, {} wrong or missing",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64().max(0.001),
        wrong.len()
    ));
    for line in wrong.iter().take(20) {
        say(format_args!("  {line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let latencies: Latencies = (1..=100).rev().map(Duration::from_millis).collect();
        assert!((latencies.percentile(50) - 50.0).abs() < 0.001);
        assert!((latencies.percentile(99) - 99.0).abs() < 0.001);
        assert!((latencies.percentile(100) - 100.0).abs() < 0.001);
        assert!(Latencies::from_iter([]).percentile(50).abs() < 0.001);
    }
}
