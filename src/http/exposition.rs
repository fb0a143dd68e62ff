//! Writes metrics in the text format of Prometheus. `docs/OPERATIONS.md` lists them.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet, prometheus_text},
    metrics::MetricType,
    registry::Registry,
};

use super::traffic::RouteTraffic;
use crate::domain::Timestamp;
use crate::metrics::Distribution;
use crate::service::{Figures, IndexStatus, WriterFigures};

/// Labels of a value, with their names.
type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Everything that is written.
struct Exposition {
    figures: Figures,
    writer: Arc<WriterFigures>,
    routes: Vec<(Box<str>, Arc<RouteTraffic>)>,
}

/// Returns all metrics as text.
pub fn write(figures: Figures, writer: Arc<WriterFigures>, routes: Vec<(Box<str>, Arc<RouteTraffic>)>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposition { figures, writer, routes }));
    let mut text = String::new();
    // Writing to a string does not fail.
    let written = prometheus_text::encode(&mut text, &registry);
    debug_assert!(written.is_ok());
    text
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exposition")
    }
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = MetricWriter(encoder);
        self.requests(&mut to)?;
        self.intake(&mut to)?;
        self.messages(&mut to)?;
        self.incidents(&mut to)?;
        self.storage(&mut to)?;
        self.process(&mut to)
    }
}

impl Exposition {
    fn requests(&self, to: &mut MetricWriter<'_>) -> fmt::Result {
        let statuses: Vec<_> = self
            .routes
            .iter()
            .flat_map(|(route, traffic)| traffic.answers().map(|answer| (&**route, answer)))
            .map(|(route, (method, status, number))| (route, method, status.to_string(), number))
            .collect();
        let answers = statuses.iter().map(|(route, method, status, number)| {
            (vec![("route", *route), ("method", *method), ("status", status.as_str())], *number)
        });
        to.counters("argusd_http_requests", "Answered requests.", answers)?;
        let durations = self
            .routes
            .iter()
            .map(|(route, traffic)| (vec![("route", &**route)], traffic.durations.distribution()))
            .filter(|(_, durations)| durations.total() > 0);
        to.histograms("argusd_http_request_duration_seconds", "Time until the answer begins.", MICROS, durations)?;
        let refused = [("wrong", self.figures.wrong_logins), ("throttled", self.figures.throttled_logins)];
        let refused = refused.into_iter().map(|(reason, number)| (vec![("reason", reason)], number));
        to.counters("argusd_logins_refused", "Refused logins with a password.", refused)
    }

    fn intake(&self, to: &mut MetricWriter<'_>) -> fmt::Result {
        let writer = &self.writer;
        to.counter("argusd_incidents_created", "Incidents that were created.", writer.incidents.get())?;
        to.counter("argusd_events_created", "Events that were stored.", writer.events.get())?;
        let seen = self.figures.sources.iter().filter_map(|source| {
            let labels = vec![("source", source.name.as_str()), ("type", source.source_type.as_str())];
            Some((labels, seconds(source.last_seen?)))
        });
        to.gauges("argusd_source_last_seen_timestamp_seconds", "Last request of a source.", seen)?;
        let help = "Time to decide who is notified of an event.";
        to.histogram("argusd_decision_duration_seconds", help, MICROS, writer.decisions.distribution())
    }

    fn messages(&self, to: &mut MetricWriter<'_>) -> fmt::Result {
        let figures = &self.figures;
        let depth = [("queued", figures.queued), ("failed", figures.failed)];
        let depth = depth.into_iter().map(|(state, number)| (vec![("state", state)], number));
        to.gauges("argusd_outbox_messages", "Messages in the outbox.", depth)?;
        let age = figures.oldest_queued.map_or(0.0, |since| (seconds(figures.now) - seconds(since)).max(0.0));
        to.gauge("argusd_outbox_oldest_seconds", "Time for which the oldest queued message has waited.", age)?;
        let results = figures.messages.iter().flat_map(|messages| {
            let results = [("sent", messages.sent), ("retried", messages.retried), ("failed", messages.failed)];
            results.map(|(result, number)| (vec![("medium", messages.medium.as_str()), ("result", result)], number))
        });
        to.counters("argusd_messages", "Attempts to send messages, by their results.", results)?;
        let reachable = figures
            .reached
            .iter()
            .map(|reached| (vec![("medium", reached.medium.as_str())], u64::from(reached.unreachable_since.is_none())));
        to.gauges("argusd_medium_reachable", "Whether the last attempt reached the server of a medium.", reachable)
    }

    fn incidents(&self, to: &mut MetricWriter<'_>) -> fmt::Result {
        const LEVELS: [&str; 5] = ["1", "2", "3", "4", "5"];
        let open = [("true", self.figures.open_acked), ("false", self.figures.open_unacked)];
        let open = open.into_iter().flat_map(|(acked, numbers)| {
            LEVELS
                .into_iter()
                .zip(numbers)
                .map(move |(level, number)| (vec![("level", level), ("acked", acked)], number))
        });
        to.gauges("argusd_open_incidents", "Open incidents.", open)
    }

    fn storage(&self, to: &mut MetricWriter<'_>) -> fmt::Result {
        let (figures, writer) = (&self.figures, &self.writer);
        let help = "Time from the beginning of a commit until it is synced.";
        to.histogram("argusd_commit_duration_seconds", help, MICROS, writer.commits.distribution())?;
        to.histogram("argusd_commit_commands", "Commands in a commit.", 1.0, writer.batches.distribution())?;
        to.counter("argusd_commit_failures", "Commits that failed.", writer.failures.get())?;
        let is_failing = writer.is_failing() || figures.file.misplaced.is_some();
        to.gauge("argusd_write_failing", "Whether the last commit failed.", u64::from(is_failing))?;
        let is_damaged = !figures.file.damage.is_empty();
        to.gauge("argusd_data_file_damaged", "Whether damage was found in the data file.", u64::from(is_damaged))?;
        to.gauge("argusd_store_size_bytes", "Size of the data file.", figures.data_bytes)?;
        to.gauge("argusd_disk_free_bytes", "Free space on the disk of the data file.", figures.free_bytes)?;
        to.gauge("argusd_index_size_bytes", "Size of the text index.", figures.index_bytes)?;
        let (is_rebuilt, behind) = match figures.index {
            IndexStatus::Ready { behind } => (false, behind as u64),
            IndexStatus::Rebuilding => (true, 0),
        };
        to.gauge("argusd_index_lag_changes", "Changes that are not in the text index on disk yet.", behind)?;
        to.gauge("argusd_index_rebuilding", "Whether the text index is being rebuilt.", u64::from(is_rebuilt))?;
        let backup = figures.last_backup.map(|at| (Vec::new(), seconds(at)));
        to.gauges("argusd_backup_last_timestamp_seconds", "Time of the last backup.", backup.into_iter())?;
        let failing = figures.is_backup_failing.map(|failing| (Vec::new(), u64::from(failing)));
        to.gauges("argusd_backup_failing", "Whether the last attempt to write a backup failed.", failing.into_iter())
    }

    fn process(&self, to: &mut MetricWriter<'_>) -> fmt::Result {
        let labels = vec![("version", env!("CARGO_PKG_VERSION")), ("commit", env!("ARGUSD_BUILD_COMMIT"))];
        let version = (labels, 1_u64);
        to.gauges("argusd_build_info", "Version and commit of the program.", std::iter::once(version))?;
        to.gauge("process_start_time_seconds", "Start of the process.", seconds(self.figures.started))?;
        let Some(process) = self.figures.process else { return Ok(()) };
        to.counter("process_cpu_seconds", "Time of processors that the process used.", process.cpu_seconds)?;
        to.gauge("process_resident_memory_bytes", "Resident memory.", process.resident_bytes)?;
        to.gauge("process_open_fds", "Open file descriptors.", process.open_files)?;
        let limit = process.max_open_files.map(|limit| (Vec::new(), limit));
        to.gauges("process_max_fds", "Limit of open file descriptors.", limit.into_iter())
    }
}

/// Microseconds in a second: values of histograms are divided by it.
const MICROS: f64 = 1_000_000.0;

fn seconds(at: Timestamp) -> f64 {
    at.micros() as f64 / MICROS
}

struct MetricWriter<'a>(DescriptorEncoder<'a>);

impl MetricWriter<'_> {
    /// Writes a metric with the values that `values` yields. Writes nothing if there are none.
    fn metric<'v, T>(
        &mut self,
        (name, help, kind): (&str, &str, MetricType),
        values: impl Iterator<Item = (Labels<'v>, T)>,
        encode: impl Fn(&mut MetricEncoder<'_>, &T) -> fmt::Result,
    ) -> fmt::Result {
        let mut values = values.peekable();
        if values.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            if labels.is_empty() {
                encode(&mut metric, &value)?;
            } else {
                encode(&mut metric.encode_family(&labels)?, &value)?;
            }
        }
        Ok(())
    }

    /// Writes a counter, whose name gets `_total` at its end.
    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        self.counters(name, help, std::iter::once((Vec::new(), value)))
    }

    fn counters<'v, T: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (Labels<'v>, T)>,
    ) -> fmt::Result {
        self.metric((name, help, MetricType::Counter), values, |metric, value| {
            metric.encode_counter::<NoLabelSet, _, f64>(value, None)
        })
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.gauges(name, help, std::iter::once((Vec::new(), value)))
    }

    fn gauges<'v, T: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (Labels<'v>, T)>,
    ) -> fmt::Result {
        #[expect(clippy::redundant_closure_for_method_calls, reason = "a path has a single lifetime")]
        self.metric((name, help, MetricType::Gauge), values, |metric, value| metric.encode_gauge(value))
    }

    fn histogram(&mut self, name: &str, help: &str, unit: f64, values: Distribution) -> fmt::Result {
        self.histograms(name, help, unit, std::iter::once((Vec::new(), values)))
    }

    /// Writes histograms whose values are divided by `unit`.
    fn histograms<'v>(
        &mut self,
        name: &str,
        help: &str,
        unit: f64,
        values: impl Iterator<Item = (Labels<'v>, Distribution)>,
    ) -> fmt::Result {
        self.metric((name, help, MetricType::Histogram), values, |metric, distribution| {
            let bounds = distribution.bounds.iter().map(|bound| *bound as f64 / unit);
            let buckets: Vec<(f64, u64)> =
                bounds.chain([f64::INFINITY]).zip(distribution.numbers.iter().copied()).collect();
            let sum = distribution.sum as f64 / unit;
            metric.encode_histogram::<NoLabelSet>(sum, distribution.total(), &buckets, None)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Sample;

    impl Collector for Sample {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let mut to = MetricWriter(encoder);
            to.gauges("a", "First.", [(vec![("source", "odd \"name\\\n")], 1.5)].into_iter())?;
            to.gauges("none", "Nothing.", std::iter::empty::<(Labels<'_>, u64)>())?;
            to.counter("b", "Second.", 7_u64)?;
            let values = Distribution { bounds: &[1_000, 500_000], numbers: vec![1, 2, 4], sum: 2_500_000 };
            to.histogram("c_seconds", "Third.", MICROS, values)
        }
    }

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Sample));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        let lines = [
            "# HELP a First.",
            "# TYPE a gauge",
            "a{source=\"odd \\\"name\\\\\\n\"} 1.5",
            "# HELP b_total Second.",
            "# TYPE b_total counter",
            "b_total 7",
            "# HELP c_seconds Third.",
            "# TYPE c_seconds histogram",
            "c_seconds_bucket{le=\"0.001\"} 1",
            "c_seconds_bucket{le=\"0.5\"} 3",
            "c_seconds_bucket{le=\"+Inf\"} 7",
            "c_seconds_sum 2.5",
            "c_seconds_count 7",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }
}
