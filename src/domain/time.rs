//! A moment in time.

use chrono::{DateTime, Utc};

/// Microseconds since 1970-01-01T00:00:00 UTC, between the years 1 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00 UTC.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999 UTC.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// `None` outside the years 1 to 9999.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            return None;
        }
        Some(Self(micros))
    }

    /// The nearest valid moment; for arithmetic that may leave the years 1 to 9999.
    #[must_use]
    pub const fn saturating_from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Cuts off what is finer than a microsecond; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn from_datetime(at: DateTime<Utc>) -> Option<Self> {
        Self::from_micros(at.timestamp_micros())
    }

    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    #[must_use]
    pub const fn saturating_add_micros(self, micros: i64) -> Self {
        Self::saturating_from_micros(self.0.saturating_add(micros))
    }
}
