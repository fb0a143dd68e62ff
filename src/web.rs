//! The pages: templates and forms, but no rules of incident handling.
//!
//! One page is one file here and one in `web/templates`. Its route is in `routes` of its area, such as
//! `src/web/admin.rs`; [`router`] merges them. Every form and link works without scripts; scripts only keep the page
//! where it is.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass everything by reference")]

pub mod account;
pub mod admin;
pub mod answer;
pub mod assets;
pub mod delivery;
pub mod form;
pub mod form_input;
pub mod form_page;
pub mod incident_list;
pub mod incident_page;
pub mod layout;
pub mod live;
pub mod maintenance;
pub mod no_page;
pub mod notification_settings;
pub mod offered;
pub mod plain_form;
pub mod problem;
pub mod router;
pub mod show;
pub mod submissions;
pub mod visitor;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::request::Parts;

use crate::domain::doctor::LinkFacts;
use crate::http::{HttpSettings, peer};
use crate::service::Service;

pub use answer::{PageError, PageResult, done, missing, page, refused, see};
pub use form::FormFields;
pub use form_page::{Ask, FormError, FormPage};
pub use layout::{Frame, Section};
use live::Pushes;
pub use problem::Problem;
pub use router::{router, with_pages};
pub use show::Show;
use submissions::Submissions;
pub use visitor::{Posted, Visitor};

/// Settings of the pages that the operator chooses.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// Line on every page, as plain text.
    pub banner: Option<String>,
    /// Additional style sheet with custom properties that change the appearance.
    pub tokens: Option<String>,
    /// Addresses that links in messages begin with. `None`: nothing is sent.
    pub links: Option<LinkFacts>,
    /// All settings in force, shown to administrators. Without secrets.
    pub rows: Vec<SettingRow>,
}

/// The current [`WebSettings`], which can be replaced while pages are shown. Clones share them.
#[derive(Clone, Debug)]
pub struct LiveWebSettings(Arc<ArcSwap<WebSettings>>);

impl From<WebSettings> for LiveWebSettings {
    fn from(settings: WebSettings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }
}

impl LiveWebSettings {
    pub fn replace(&self, settings: WebSettings) {
        self.0.store(Arc::new(settings));
    }
}

/// Setting and where its value came from, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingRow {
    pub name: &'static str,
    pub value: String,
    pub origin: String,
}

/// State that all pages share. Clones are handles of the same site.
#[derive(Clone)]
pub struct Site {
    pub service: Service,
    inner: Arc<SiteState>,
}

struct SiteState {
    /// Updates for open pages.
    pushes: Pushes,
    /// Forms that were sent recently.
    submissions: Submissions,
    http: HttpSettings,
    settings: LiveWebSettings,
}

impl Site {
    #[must_use]
    pub fn new(service: Service, http: HttpSettings, settings: LiveWebSettings) -> Self {
        Self {
            service,
            inner: Arc::new(SiteState {
                http,
                settings,
                pushes: Pushes::default(),
                submissions: Submissions::default(),
            }),
        }
    }

    /// Returns the settings that are in force now.
    #[must_use]
    pub fn settings(&self) -> Arc<WebSettings> {
        self.inner.settings.0.load_full()
    }

    /// Returns scheme and host as the browser knows them, without a slash at the end.
    #[must_use]
    pub fn origin(&self, parts: &Parts) -> String {
        peer::origin(&self.inner.http, parts)
    }
}
