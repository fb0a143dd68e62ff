//! The layout around every page: user, navigation, and notices.

use chrono_tz::Tz;

use super::{Show, Site, Visitor};
use crate::domain::{
    DateFormat, Preferences,
    doctor::{self, LinkFacts, has_others},
    limits::LIVE_SILENCE,
};
use crate::service::{Action, Permissions};

/// Sections of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Incidents,
    Notifications,
    Maintenance,
    Sources,
    Admin,
    User,
    None,
}

/// Data of the layout.
#[derive(Clone, Debug)]
pub struct Frame {
    pub section: Section,
    pub title: String,
    /// `None` if nobody is logged in.
    pub username: Option<String>,
    /// Permissions of the user.
    pub can: Permissions,
    pub theme: &'static str,
    pub date_format: &'static str,
    pub banner: Option<String>,
    /// Warning about the data file, which is shown to everybody.
    pub warning: Option<String>,
    /// Address with which links in messages begin although it leads nowhere, for administrators.
    pub dead_links: Option<String>,
    pub has_tokens: bool,
    /// Token that forms must send.
    pub csrf: String,
    /// Distinguishes the forms of this page from those of all other pages; see [`super::submissions`].
    pub form_number: String,
    /// Notice of what was done by the last form.
    pub notice: Option<String>,
    pub show: Show,
}

impl Frame {
    /// Creates the layout for a user who is logged in.
    #[must_use]
    pub fn new(site: &Site, visitor: &Visitor, section: Section, title: impl Into<String>) -> Self {
        Self {
            username: Some(visitor.caller.user.username.clone()),
            can: visitor.caller.permissions(),
            csrf: visitor.csrf.clone(),
            notice: visitor.notice.clone(),
            dead_links: dead_links(site, visitor),
            ..Self::around(site, &visitor.preferences, section, title.into())
        }
    }

    /// Creates the layout for anybody. `csrf` is the token of the login form.
    #[must_use]
    pub fn anonymous(site: &Site, title: impl Into<String>, csrf: String) -> Self {
        let form_number = String::new();
        Self { csrf, form_number, ..Self::around(site, &Preferences::default(), Section::None, title.into()) }
    }

    fn around(site: &Site, preferences: &Preferences, section: Section, title: String) -> Self {
        let settings = site.settings();
        Self {
            section,
            title,
            username: None,
            can: Permissions::default(),
            theme: preferences.theme.name(),
            date_format: preferences.date_format.name(),
            banner: settings.banner.clone(),
            warning: site.service.system().data_file_warning(),
            dead_links: None,
            has_tokens: settings.tokens.is_some(),
            csrf: String::new(),
            form_number: uuid::Uuid::new_v4().simple().to_string(),
            notice: None,
            show: show(site, preferences),
        }
    }

    #[must_use]
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        super::assets::address(name)
    }

    /// Returns the time without a message after which scripts reconnect, in milliseconds.
    #[must_use]
    pub fn live_silence(&self) -> u128 {
        LIVE_SILENCE.as_millis()
    }

    #[must_use]
    pub fn is_in(&self, section: &str) -> bool {
        let own = match self.section {
            Section::Incidents => "incidents",
            Section::Notifications => "notifications",
            Section::Maintenance => "maintenance",
            Section::Sources => "sources",
            Section::Admin => "admin",
            Section::User => "user",
            Section::None => "",
        };
        own == section
    }
}

/// Returns the address with which links in messages begin, if the visitor can do something about it.
fn dead_links(site: &Site, visitor: &Visitor) -> Option<String> {
    let settings = site.settings();
    let links = settings.links.as_ref()?;
    if !visitor.caller.may(Action::SeeAdministration) {
        return None;
    }
    let has_others = has_others(&site.service.directory());
    doctor::dead_links(&LinkFacts { has_others, ..links.clone() })
}

/// Returns how times are shown to a user: time zone, date format and the current time.
#[must_use]
pub fn show(site: &Site, preferences: &Preferences) -> Show {
    let zone: Tz = preferences.time_zone.unwrap_or(site.service.settings().time_zone);
    let format: DateFormat = preferences.date_format;
    Show { zone, format, now: site.service.now() }
}
