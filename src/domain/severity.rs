//! Levels of incidents, from 1 (critical) to 5 (information).

/// Level of an incident: 1 critical, 2 high, 3 moderate, 4 low, 5 information (contract section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    pub const CRITICAL: Self = Self(1);
    pub const HIGH: Self = Self(2);
    pub const MODERATE: Self = Self(3);
    pub const LOW: Self = Self(4);
    /// The default level.
    pub const INFORMATION: Self = Self(5);
    /// All levels, the worst first.
    pub const ALL: [Self; 5] = [Self::CRITICAL, Self::HIGH, Self::MODERATE, Self::LOW, Self::INFORMATION];

    /// Returns the level. `None` outside 1 to 5.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level >= 1 && level <= 5 { Some(Self(level)) } else { None }
    }

    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A set of levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelSet(u8);

impl LevelSet {
    /// Returns the set as bits 1 to 5: the number of a level is that of its bit.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    #[must_use]
    pub const fn contains(self, level: Level) -> bool {
        self.0 >> level.0 & 1 == 1
    }

    pub const fn insert(&mut self, level: Level) {
        self.0 |= 1 << level.0;
    }

    pub fn iter(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |level| self.contains(*level))
    }
}

impl FromIterator<Level> for LevelSet {
    fn from_iter<I: IntoIterator<Item = Level>>(levels: I) -> Self {
        let mut set = Self::default();
        for level in levels {
            set.insert(level);
        }
        set
    }
}
