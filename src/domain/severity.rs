//! How bad an incident is.

/// 1 Critical, 2 High, 3 Moderate, 4 Low, 5 Information (contract section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    pub const CRITICAL: Self = Self(1);
    pub const HIGH: Self = Self(2);
    pub const MODERATE: Self = Self(3);
    pub const LOW: Self = Self(4);
    /// The level of an incident whose sender gave none.
    pub const INFORMATION: Self = Self(5);

    /// `None` outside 1 to 5.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level >= 1 && level <= 5 { Some(Self(level)) } else { None }
    }

    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}
