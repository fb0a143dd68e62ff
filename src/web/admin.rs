//! For staff: sources, people, contacts and rules, messages, settings, health and the audit trail. Superusers change what
//! staff see; the service decides.

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
    Site,
    answer::{self, PageError},
    form::Fields,
    frame::{Frame, Section},
    visitor::Visitor,
};
use crate::{
    domain::{
        time::Timestamp,
        token::{Token, TokenKind},
    },
    service::{Model, TokenLife},
};

/// The tabs of all these pages: the folder of the address, and the title.
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

/// Somebody who may see the page, and the page's query.
pub struct Staff {
    pub visitor: Visitor,
    /// Of the address.
    pub query: Fields,
}

impl FromRequestParts<Site> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, site).await?;
        Ok(Self { query: Fields::of_query(parts.uri.query()), visitor })
    }
}

impl Staff {
    fn frame(&self, site: &Site, title: impl Into<String>) -> Frame {
        Frame::new(site, &self.visitor, Section::Admin, title)
    }

    /// Rows of a page.
    fn rows(&self) -> usize {
        self.visitor.preferences.page_size.into()
    }

    /// The address of this page with another value of `name`; without it if that is empty.
    fn address_with(&self, name: &str, value: &str) -> String {
        let path = self.visitor.address.split('?').next().unwrap_or_default();
        let kept = self.query.iter().filter(|(key, value)| *key != name && !value.is_empty());
        let pairs = kept.chain(Some((name, value)).filter(|(_, value)| !value.is_empty()));
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let query: Vec<String> = pairs.map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

/// From a path.
fn uuid(text: &str, model: Model) -> Result<Uuid, PageError> {
    text.parse().map_err(|_| answer::missing(model))
}

/// As the choice of the form says.
fn token_life(fields: &Fields) -> TokenLife {
    match fields.get("days") {
        Some("never") => TokenLife::Never,
        Some(days) => match days.parse::<u64>() {
            Ok(days @ 1..=3650) => TokenLife::For(Duration::from_hours(days * 24)),
            _ => TokenLife::Setting,
        },
        None => TokenLife::Setting,
    }
}

/// A token in a table.
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
                TokenKind::Login => "made by a login",
                TokenKind::Session => "browser",
            },
            created: token.created,
            expires: token.expires,
            expired: token.expires.is_some_and(|expires| expires <= now),
        }
    }
}
