//! A small chart of a preview: messages by hour of the day.

use crate::service::ProfilePreview;

/// Height of the chart, in units of the picture.
pub const HEIGHT: u64 = 60;
pub const BAR: u64 = 10;

#[derive(Clone, Debug)]
pub struct Chart {
    pub bars: Vec<HourBar>,
    /// Description for users who cannot see the chart.
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourBar {
    pub hour: u64,
    pub count: u64,
    pub x: u64,
    pub y: u64,
    pub height: u64,
}

/// Result of a preview, as pages show it.
#[derive(Clone, Debug)]
pub struct Outlook {
    pub forecast: ProfilePreview,
    pub chart: Chart,
    pub days: u32,
    /// Reasons why messages were not sent, with their numbers.
    pub kept_back: Vec<String>,
}

impl Outlook {
    #[must_use]
    pub fn new(forecast: ProfilePreview, days: u32) -> Self {
        let reasons = [
            ("outside_timeslot", "outside the timeslot"),
            ("maintenance", "planned maintenance"),
            ("no_destination", "no destination"),
            ("sending_off", "sending is switched off on the server"),
        ];
        let kept_back = reasons
            .iter()
            .filter_map(|(code, words)| Some(format!("{} more not sent: {words}.", forecast.silent.get(code)?)))
            .collect();
        Self { chart: Chart::new(&forecast.by_hour), forecast, days, kept_back }
    }
}

impl Chart {
    #[must_use]
    pub fn new(by_hour: &[u64; 24]) -> Self {
        let most = by_hour.iter().copied().max().unwrap_or_default();
        let bars: Vec<HourBar> = (0..)
            .zip(by_hour)
            .map(|(hour, &count)| {
                // A bar is visible even if its count is small beside the others.
                let height =
                    if count == 0 { 0 } else { (u128::from(count) * u128::from(HEIGHT) / u128::from(most)).max(2) };
                let height = u64::try_from(height).unwrap_or(HEIGHT);
                HourBar { hour, count, x: hour * BAR, y: HEIGHT.saturating_sub(height), height }
            })
            .collect();
        let words = match bars.iter().max_by_key(|bar| (bar.count, std::cmp::Reverse(bar.hour))) {
            Some(bar) if bar.count > 0 => {
                format!(
                    "Messages by hour of the day. Most between {}:00 and {}:00: {}.",
                    bar.hour,
                    bar.hour + 1,
                    bar.count
                )
            }
            _ => "Messages by hour of the day: none.".to_owned(),
        };
        Self { bars, words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_they_should_be() {
        let mut by_hour = [0; 24];
        (by_hour[3], by_hour[4], by_hour[23]) = (1, 1_000, 500);
        let chart = Chart::new(&by_hour);
        let heights: Vec<u64> = chart.bars.iter().map(|bar| bar.height).collect();
        assert_eq!((heights[0], heights[3], heights[4], heights[23]), (0, 2, HEIGHT, HEIGHT / 2));
        assert_eq!((chart.bars[4].x, chart.bars[4].y), (40, 0));
        assert!(chart.words.contains("between 4:00 and 5:00: 1000"), "{}", chart.words);
        assert!(Chart::new(&[0; 24]).words.ends_with("none."));
    }
}
