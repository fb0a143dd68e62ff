//! Administration pages for staff: sources, users, contacts and rules, messages, settings, health and the audit trail.
//! Some changes require a superuser; the service checks that.

pub mod audit;
pub mod audit_rows;
pub mod channel_form;
pub mod channels;
pub mod contacts;
pub mod deliveries;
pub mod groups;
pub mod health;
pub mod overview;
pub mod rules;
pub mod settings;
pub mod source_pages;
pub mod sources;
pub mod user_form;
pub mod users;

use std::{sync::Arc, time::Duration};

use axum::{extract::FromRequestParts, http::request::Parts, response::Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::{
    FormFields, Frame, PageError, Section, Site, Visitor, answer,
    form_page::{form, send},
    plain_form::PlainPage,
    show::span,
};
use crate::domain::{Timestamp, Token, TokenKind};
use crate::http::routes::{Routes, get, post};
use crate::service::{Action, Model, TokenLife};

/// Tabs of the administration pages: folder of the address, and title.
pub const TABS: &[(&str, &str)] = &[
    ("overview", "Overview"),
    ("users", "Users"),
    ("deliveries", "Deliveries"),
    ("contacts", "Contacts"),
    ("groups", "Groups"),
    ("channels", "Channels"),
    ("rules", "Rules"),
    ("audit", "Audit trail"),
    ("health", "Health"),
    ("settings", "Settings"),
];

/// Returns the routes, in the order of the tabs, and those of sources, which are a section of their own.
pub(super) fn routes() -> Routes<Site> {
    let deliveries = Routes::of(Action::ManageDeliveries)
        .route("/admin/deliveries/", get(deliveries::list))
        .route("/admin/deliveries/retry/", post(deliveries::retry_all))
        .route("/admin/deliveries/{id}/retry/", post(deliveries::retry));
    let channels_and_rules = Routes::of(Action::SeeRules)
        .route("/admin/channels/", get(channels::list))
        .route("/admin/channels/new/", form::<PlainPage<channels::ChannelForm>>())
        .route("/admin/channels/{id}/", form::<PlainPage<channels::ChannelForm>>())
        .route("/admin/channels/{id}/delete/", post(channels::delete))
        .route("/admin/rules/", get(rules::list))
        .route("/admin/rules/new/", form::<rules::RulePage>())
        .route("/admin/rules/{id}/", form::<rules::RulePage>())
        .route("/admin/rules/{id}/delete/", post(rules::delete));
    Routes::of(Action::SeeAdministration)
        .route("/admin/", get(overview::show))
        .route("/admin/demo/", post(overview::make_demo_data))
        .route("/admin/users/", get(users::list))
        .route("/admin/users/new/", form::<PlainPage<user_form::NewUser>>())
        .route("/admin/users/{id}/", form::<user_form::UserPage>())
        .route("/admin/users/{id}/password/", post(user_form::set_password))
        .route("/admin/users/{id}/tokens/", post(user_form::create_token))
        .route("/admin/users/{id}/tokens/{token}/revoke/", post(user_form::revoke))
        .route("/admin/users/{id}/sessions/end/", post(user_form::end_sessions))
        .merge(deliveries)
        .route("/admin/contacts/", get(contacts::list))
        .route("/admin/contacts/new/", form::<contacts::ContactPage>())
        .route("/admin/contacts/{id}/", form::<contacts::ContactPage>())
        .route("/admin/contacts/{id}/groups/", post(contacts::change_group))
        .route("/admin/contacts/{id}/delete/", post(contacts::delete))
        .route("/admin/groups/", get(groups::list).post(send::<groups::GroupsPage>))
        .route("/admin/groups/{id}/", form::<groups::GroupPage>())
        .route("/admin/groups/{id}/members/", post(groups::change_members))
        .route("/admin/groups/{id}/delete/", post(groups::delete))
        .merge(channels_and_rules)
        .route("/admin/audit/", get(audit::list))
        .route("/admin/health/", get(health::show))
        .route("/admin/settings/", get(settings::show))
        .route("/sources/", get(sources::list))
        .route("/sources/new/", form::<PlainPage<sources::NewSource>>())
        .route("/sources/types/", form::<PlainPage<sources::SourceTypes>>())
        .route("/sources/{id}/", form::<source_pages::SourcePage>())
        .route("/sources/{id}/tokens/", post(source_pages::create_token))
        .route("/sources/{id}/tokens/{token}/revoke/", post(source_pages::revoke))
}

/// Visitor who may see the page, and the query of its address.
pub struct Staff {
    pub visitor: Visitor,
    /// Query of the address.
    pub query: FormFields,
}

impl FromRequestParts<Site> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, site).await?;
        Ok(Self { query: FormFields::of_query(parts.uri.query()), visitor })
    }
}

impl Staff {
    fn frame(&self, site: &Site, title: impl Into<String>) -> Frame {
        Frame::new(site, &self.visitor, Section::Admin, title)
    }

    /// Returns the number of rows per page.
    fn rows(&self) -> usize {
        self.visitor.preferences.page_size.into()
    }

    /// Returns the address of this page with another value of `name`, or without `name` if the value is empty.
    fn address_with(&self, name: &str, value: &str) -> String {
        let path = self.visitor.address.split('?').next().unwrap_or_default();
        let kept = self.query.iter().filter(|(key, value)| *key != name && !value.is_empty());
        let pairs = kept.chain(Some((name, value)).filter(|(_, value)| !value.is_empty()));
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let query: Vec<String> = pairs.map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

/// Parses the UUID of a path.
fn uuid(text: &str, model: Model) -> Result<Uuid, PageError> {
    text.parse().map_err(|_| answer::missing(model))
}

/// Returns the lifetime that the form chooses for a token.
pub(super) fn token_life(fields: &FormFields) -> TokenLife {
    match fields.get("days") {
        Some("never") => TokenLife::Never,
        Some(days) => match days.parse::<u64>() {
            Ok(days @ 1..=3650) => TokenLife::For(Duration::from_hours(days * 24)),
            _ => TokenLife::Setting,
        },
        None => TokenLife::Setting,
    }
}

/// Returns the label of the choice that stands for the server's setting, such as "in 14 days (default)".
pub(super) fn default_life(site: &Site) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match site.service.settings().token_life {
        Some(life) if life.as_secs() > DAY && life.as_secs() % DAY == 0 => {
            format!("in {} days (default)", life.as_secs() / DAY)
        }
        Some(life) => format!("in {} (default)", span(i64::try_from(life.as_micros()).unwrap_or(i64::MAX))),
        None => "never (default)".to_owned(),
    }
}

/// Token as a row of a table.
pub struct TokenLine {
    pub id: u64,
    pub note: String,
    pub kind: &'static str,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub expired: bool,
}

impl TokenLine {
    fn new(token: &Arc<Token>, now: Timestamp) -> Self {
        Self {
            id: token.id.0,
            note: token.note.clone(),
            kind: match token.kind {
                TokenKind::Classic => "for programs",
                TokenKind::Login => "created by a login",
                TokenKind::Session => "browser",
            },
            created: token.created,
            expires: token.expires,
            expired: token.expires.is_some_and(|expires| expires <= now),
        }
    }
}
