//! All settings with their origins.

use askama::Template;
use axum::extract::State;

use super::Staff;
use crate::web::{
    SettingRow, Site,
    answer::{Answer, page},
    frame::Frame,
};

#[derive(Template)]
#[template(path = "admin/settings.html")]
struct SettingsPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<SettingRow>,
}

pub async fn show(State(site): State<Site>, staff: Staff) -> Answer {
    let rows = site.settings().rows.clone();
    page(&SettingsPage { frame: staff.frame(&site, "Settings"), tab: "settings", rows })
}
