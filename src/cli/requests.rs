//! Converts arguments that need more than parsing into requests.

use super::args::{Generate, Heartbeat};
use crate::control::{AdminRequest, Life};

pub(super) const fn generate(arguments: &Generate) -> AdminRequest {
    AdminRequest::Generate { count: arguments.count, seed: arguments.seed, force: arguments.force }
}

/// Parses `[DD ]HH:MM:SS` as microseconds (contract section 24).
pub(super) fn duration_micros(text: &str) -> Result<i64, String> {
    let bad = || format!("{text:?} is not \"DD HH:MM:SS\"");
    let (days, time) = text.trim().split_once(' ').unwrap_or(("0", text.trim()));
    let parts: Vec<&str> = time.split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else { return Err(bad()) };
    let number = |text: &str| text.parse::<u32>().map(i64::from).map_err(|_| bad());
    let seconds = ((number(days)? * 24 + number(hours)?) * 60 + number(minutes)?) * 60 + number(seconds)?;
    seconds.checked_mul(1_000_000).ok_or_else(bad)
}

/// Parses a number of days, or the word `never`.
pub(super) fn life(text: &str) -> Result<Life, String> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(Life::Never);
    }
    match text.parse::<u32>() {
        Ok(days) if (1..=365_000).contains(&days) => Ok(Life::Days(days)),
        _ => Err("expected a number of days, or the word never".to_owned()),
    }
}

/// Parses a number of seconds, or the word `off`.
pub(super) fn heartbeat(text: &str) -> Result<Heartbeat, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(Heartbeat(None));
    }
    text.parse().map(|seconds| Heartbeat(Some(seconds))).map_err(|_| "expected a number, or the word off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        assert_eq!(duration_micros("00:00:01"), Ok(1_000_000));
        assert_eq!(duration_micros("1 02:03:04"), Ok(93_784_000_000));
        assert!(duration_micros("5").is_err());
        assert!(duration_micros("1 2 3:4:5").is_err());
        assert!(duration_micros("-1:00:00").is_err());
    }
}
