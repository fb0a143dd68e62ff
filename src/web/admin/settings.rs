//! All settings with the origins of their values.

use askama::Template;
use axum::extract::State;

use super::Staff;
use crate::web::{Frame, PageResult, SettingRow, Site, page};

#[derive(Template)]
#[template(path = "admin/settings.html")]
struct SettingsPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<SettingRow>,
}

pub async fn show(State(site): State<Site>, staff: Staff) -> PageResult {
    let rows = site.settings().rows.clone();
    page(&SettingsPage { frame: staff.frame(&site, "Settings"), tab: "settings", rows })
}
