//! The visitor of a page: the session of the cookie, the preferences of the user, and the check that a form is from
//! this server.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, request::Parts},
    response::Response,
};
use percent_encoding::percent_decode_str;

use super::{
    FormFields, PageError, Site,
    answer::{self, NOTICE},
    submissions::{self, ClaimSlot, FormDecision, FormKey},
};
use crate::domain::{Preferences, limits::LAST_VIEW};
use crate::http::{Payload, cookies, peer, routes::Needed};
use crate::service::Caller;

/// User who is logged in and may do what the route requires.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub caller: Caller,
    /// Stored preferences. If this browser has a last view in its cookie, it replaces the stored one.
    pub preferences: Preferences,
    /// Token that forms must send.
    pub csrf: String,
    /// Notice of what was done by the last form, to be shown once.
    pub notice: Option<String>,
    pub peer: Option<std::net::IpAddr>,
    /// Path and query of this request.
    pub address: String,
    /// Scheme and host as the browser knows them.
    pub origin: String,
}

impl FromRequestParts<Site> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let secret = cookies::get(&parts.headers, cookies::SESSION);
        let found = secret.and_then(|secret| Some((secret, site.service.people().session(secret)?)));
        let Some((secret, caller)) = found else { return Err(answer::log_in_first(site, parts)) };
        let mut preferences = match site.service.people().preferences(&caller).await {
            Ok(preferences) => preferences,
            Err(error) => return Err(PageError::from(error).plain(site)),
        };
        if let Some(view) = last_view(&caller, &parts.headers) {
            view.clone_into(&mut preferences.last_view);
        }
        let visitor = Self {
            caller,
            preferences,
            csrf: site.service.people().csrf_token(secret),
            notice: notice(site, secret, &parts.headers),
            peer: peer::client(&site.inner.http, parts),
            address: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            origin: site.origin(parts),
        };
        match parts.extensions.get::<Needed>() {
            Some(Needed(action)) if !visitor.caller.may(*action) => Err(PageError::Forbidden.page(site, &visitor)),
            _ => Ok(visitor),
        }
    }
}

/// Form that a visitor sent from a page of this site.
#[derive(Clone, Debug)]
pub struct Posted {
    pub visitor: Visitor,
    pub fields: FormFields,
}

impl FromRequest<Site> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, site).await?;
        Self::receive(visitor, parts, body, site).await
    }
}

impl Posted {
    /// Receives a form of `visitor`, whose rights were checked. A form that was sent before is not carried out again;
    /// its first answer is returned as the error.
    pub async fn receive(visitor: Visitor, parts: Parts, body: Body, site: &Site) -> Result<Self, Response> {
        let place = parts.extensions.get::<ClaimSlot>().cloned();
        let address = visitor.address.clone();
        let is_ours = answer::own_referrer(site, &parts).is_some();
        let is_same_origin = answer::is_same_origin(site, &parts);
        let sent = parts.headers.get(cookies::CSRF_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let secret = cookies::get(&parts.headers, cookies::SESSION).unwrap_or_default().to_owned();
        let bytes = match Payload::new(parts, body, Some(&visitor.caller)).form().await {
            Ok(bytes) => bytes,
            Err(error) => return Err(PageError::from(error).page(site, &visitor)),
        };
        let fields = FormFields::parse(&bytes);
        let sent = sent.as_deref().or(fields.get("csrf")).unwrap_or_default();
        // A page that was loaded before the browser logged in again has the token of the previous session.
        let is_proven =
            site.service.people().is_csrf_token(&secret, sent.as_bytes()) || (is_same_origin && !sent.is_empty());
        if !is_proven {
            let typed = if is_ours { typed(&fields) } else { Vec::new() };
            return Err(PageError::Csrf.page_with_typed(site, &visitor, typed));
        }
        let key = FormKey::new(&secret, &address, fields.get(submissions::NUMBER), &bytes);
        if let Some((place, key)) = place.zip(key) {
            match site.inner.submissions.enter(key, visitor.caller.id(), || site.service.moment()).await {
                FormDecision::First(claim) => place.put(claim),
                FormDecision::Again(answer) => return Err(answer),
                FormDecision::Busy => return Err(PageError::Busy.page(site, &visitor)),
            }
        }
        Ok(Self { visitor, fields })
    }
}

/// Returns the texts of a form that the visitor may want to copy.
fn typed(fields: &FormFields) -> Vec<String> {
    const TEXTS: [&str; 7] = ["message", "description", "name", "note", "url", "ticket", "tag"];
    let texts = fields.iter().filter(|(name, text)| TEXTS.contains(name) && !text.trim().is_empty());
    texts.map(|(_, text)| text.to_owned()).collect()
}

/// Returns the last view of the user in this browser. It is not signed, because anybody who can set it can also link to
/// it.
#[must_use]
pub fn last_view<'a>(caller: &Caller, headers: &'a HeaderMap) -> Option<&'a str> {
    let (user, view) = cookies::get(headers, cookies::LAST_VIEW)?.split_once('.')?;
    (user == caller.id().to_string() && view.len() <= LAST_VIEW).then_some(view)
}

/// Returns the notice if the server signed it for this session. Other hosts of the domain can set cookies, too.
fn notice(site: &Site, secret: &str, headers: &HeaderMap) -> Option<String> {
    let (signature, text) = cookies::get(headers, NOTICE)?.split_once('.')?;
    let text = percent_decode_str(text).decode_utf8().ok()?;
    site.service.people().is_notice(secret, &text, signature).then(|| text.into_owned())
}
