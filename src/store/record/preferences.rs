//! Stored preferences. Choices are stored by name instead of number, so that they can be added and removed.

use serde::{Deserialize, Serialize};

use crate::domain::{
    DateFormat, Density, Preferences, Theme,
    preferences::{Column, PAGE_SIZES},
};
use crate::store::{
    StoreError,
    codec::{decode_v1, encode},
};

#[derive(Serialize, Deserialize)]
struct PreferencesV1 {
    theme: String,
    date_format: String,
    time_zone: Option<String>,
    density: String,
    columns: Vec<String>,
    page_size: u16,
    sound: bool,
    notices: bool,
    last_view: String,
}

pub fn encode_preferences(preferences: &Preferences) -> Result<Vec<u8>, StoreError> {
    let record = PreferencesV1 {
        theme: preferences.theme.name().to_owned(),
        date_format: preferences.date_format.name().to_owned(),
        time_zone: preferences.time_zone.map(|zone| zone.name().to_owned()),
        density: preferences.density.name().to_owned(),
        columns: preferences.columns.iter().map(|column| column.name().to_owned()).collect(),
        page_size: preferences.page_size,
        sound: preferences.sound,
        notices: preferences.notices,
        last_view: preferences.last_view.clone(),
    };
    encode(1, &record)
}

/// Decodes preferences. Unknown choices, such as removed ones, become the defaults.
pub fn decode_preferences(value: &[u8]) -> Result<Preferences, StoreError> {
    let record: PreferencesV1 = decode_v1("preferences", value)?;
    let defaults = Preferences::default();
    Ok(Preferences {
        theme: Theme::parse(&record.theme).unwrap_or_default(),
        date_format: DateFormat::parse(&record.date_format).unwrap_or_default(),
        time_zone: record.time_zone.and_then(|name| name.parse().ok()),
        density: Density::parse(&record.density).unwrap_or_default(),
        columns: Column::parse_all(record.columns.iter().map(String::as_str)).unwrap_or(defaults.columns),
        page_size: if PAGE_SIZES.contains(&record.page_size) { record.page_size } else { defaults.page_size },
        sound: record.sound,
        notices: record.notices,
        last_view: record.last_view,
    })
}
