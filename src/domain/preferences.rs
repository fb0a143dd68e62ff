//! Preferences of a user for the pages (contract section 22).

use chrono_tz::Tz;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The theme of the browser.
    #[default]
    System,
    Light,
    Dark,
}

/// Format of times on pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateFormat {
    /// The format of the browser's locale.
    #[default]
    Locale,
    /// `2026-11-22 03:04:05`
    Iso,
    /// `Sun, 22 Nov 2026 03:04:05 +0100`
    Rfc5322,
    /// Seconds since 1970.
    Epoch,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Density {
    #[default]
    Compact,
    Standard,
}

/// A column of the list of incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Id,
    Start,
    Age,
    End,
    Status,
    Acked,
    Level,
    Source,
    SourceType,
    Description,
    Tags,
    Ticket,
    Maintenance,
    LastEvent,
}

/// Preferences of a user for the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    pub theme: Theme,
    pub date_format: DateFormat,
    /// Time zone of the pages. `None`: the time zone of the server.
    pub time_zone: Option<Tz>,
    pub density: Density,
    /// Columns in the order in which they are shown, without duplicates, at least one.
    pub columns: Vec<Column>,
    /// Rows of a page of the list: one of [`PAGE_SIZES`].
    pub page_size: u16,
    /// Whether to play a sound for new incidents in the list.
    pub sound: bool,
    /// Whether to show a desktop notification for new incidents in the list.
    pub notices: bool,
    /// Last view of the list of incidents: the query of an address.
    pub last_view: String,
}

pub const PAGE_SIZES: [u16; 4] = [25, 50, 100, 200];

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: Theme::default(),
            date_format: DateFormat::default(),
            time_zone: None,
            density: Density::default(),
            columns: Column::preset("standard").unwrap_or(Column::ALL).to_vec(),
            page_size: 100,
            sound: false,
            notices: false,
            last_view: String::new(),
        }
    }
}

macro_rules! names {
    ($kind:ident { $($case:ident = $name:literal),+ $(,)? }) => {
        impl $kind {
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// Returns the name that is stored and used in addresses.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$case => $name),+ }
            }

            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$case),)+ _ => None }
            }
        }
    };
}

names!(Theme { System = "system", Light = "light", Dark = "dark" });
names!(DateFormat { Locale = "locale", Iso = "iso", Rfc5322 = "rfc5322", Epoch = "epoch" });
names!(Density { Compact = "compact", Standard = "standard" });
names!(Column {
    Id = "id",
    Start = "start",
    Age = "age",
    End = "end",
    Status = "status",
    Acked = "acked",
    Level = "level",
    Source = "source",
    SourceType = "source_type",
    Description = "description",
    Tags = "tags",
    Ticket = "ticket",
    Maintenance = "maintenance",
    LastEvent = "last_event",
});

/// Names and columns of the built-in layouts.
pub const PRESETS: [(&str, &[Column]); 3] = [
    (
        "standard",
        &[
            Column::Level,
            Column::Status,
            Column::Start,
            Column::Age,
            Column::Source,
            Column::Description,
            Column::Ticket,
        ],
    ),
    (
        "notifications",
        &[
            Column::Id,
            Column::Status,
            Column::Acked,
            Column::Level,
            Column::SourceType,
            Column::Source,
            Column::Tags,
            Column::LastEvent,
            Column::Description,
        ],
    ),
    (
        "maintenance",
        &[
            Column::Start,
            Column::Level,
            Column::Status,
            Column::SourceType,
            Column::Source,
            Column::Description,
            Column::Tags,
            Column::Maintenance,
        ],
    ),
];

impl Column {
    #[must_use]
    pub fn preset(name: &str) -> Option<&'static [Self]> {
        PRESETS.iter().find(|(preset, _)| *preset == name).map(|(_, columns)| *columns)
    }

    /// Returns the known columns without duplicates. `None` if there are none.
    pub fn parse_all<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Vec<Self>> {
        let mut columns = Vec::new();
        for column in names.into_iter().filter_map(Self::parse) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        (!columns.is_empty()).then_some(columns)
    }
}
