//! Answers of pages: a page, a redirect, or an error page. The one place where errors become pages.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts, uri::PathAndQuery},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Position, Url};

use super::{
    Site,
    layout::{Frame, Section},
    submissions::ShownOnce,
    visitor::Visitor,
};
use crate::{
    domain::limits::BODY_RETRY_AFTER,
    http::{body::BodyError, cookies},
    service::{Forbidden, Model, Refusal, SearchError, ServiceError, StoreError},
};

/// What was just done, until a page has said it.
pub const NOTICE: &str = "notice";
/// The form to log in.
const LOG_IN: &str = "/accounts/login/";
/// Headers by which htmx says that it asks, and from which page.
const HTMX: &str = "hx-request";
const CURRENT_URL: &str = "hx-current-url";
/// Characters of a notice.
const NOTICE_LENGTH: usize = 300;

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

pub type PageResult = Result<Response, PageError>;

/// A page, or a part of one.
pub fn page(template: &impl Template) -> PageResult {
    page_with(StatusCode::OK, template)
}

/// A page that shows what is shown only once, such as a new token: whoever sent the form twice gets it twice.
pub fn page_once(template: &impl Template) -> PageResult {
    let mut response = page(template)?;
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// A form that was not accepted, with what was typed.
pub fn refused(template: &impl Template) -> PageResult {
    page_with(StatusCode::UNPROCESSABLE_ENTITY, template)
}

/// A page, or a part of one, with this status.
pub fn page_with(status: StatusCode, template: &impl Template) -> PageResult {
    let html = template.render().map_err(|error| PageError::Internal(error.to_string()))?;
    Ok((status, Html(html)).into_response())
}

/// "Look over there": after something was done, so that going back or reloading does not do it again.
#[must_use]
pub fn see(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// [`see`], and the page there says what was done.
#[must_use]
pub fn done(path: &str, notice: &str) -> Response {
    let mut response = see(path);
    response.extensions_mut().insert(Notice(notice.chars().take(NOTICE_LENGTH).collect()));
    response
}

/// What [`finish`] puts into a cookie, which it signs with the session's secret.
#[derive(Clone)]
struct Notice(String);

fn notice_cookie(site: &Site, session: &str, Notice(text): &Notice) -> Option<HeaderValue> {
    let signature = site.service.people().sign_notice(session, text);
    cookies::set(NOTICE, &format!("{signature}.{}", utf8_percent_encode(text, NON_ALPHANUMERIC)), 60, false)
}

/// Only a place of our own.
#[must_use]
pub fn local_path(wanted: Option<&str>) -> &str {
    match wanted {
        Some(path)
            if path.starts_with('/')
                && !path.starts_with("//")
                && !path.contains('\\')
                && !path.contains(char::is_control) =>
        {
            path
        }
        _ => "/",
    }
}

/// Why there is no such page, or why something was not done. Says it as a whole page.
#[derive(Clone, Debug)]
pub enum PageError {
    NotFound(String),
    Forbidden,
    Csrf,
    TooLarge,
    TooSlow(Duration),
    Busy,
    BadRequest(String),
    TooMany(u64),
    Unavailable(String),
    /// Our own trouble; the text goes into the log.
    Internal(String),
}

impl PageError {
    /// Without the layout's menu: for when it is not known who asks.
    #[must_use]
    pub fn plain(&self, site: &Site) -> Response {
        self.render(Frame::anonymous(site, self.title(), String::new()))
    }

    #[must_use]
    pub fn page(&self, site: &Site, visitor: &Visitor) -> Response {
        self.page_with_typed(site, visitor, Vec::new())
    }

    /// The same with the texts of the form that was not accepted, for the visitor to copy.
    #[must_use]
    pub fn page_with_typed(&self, site: &Site, visitor: &Visitor, typed: Vec<String>) -> Response {
        self.render_with(Frame::new(site, visitor, Section::None, self.title()), typed)
    }

    fn render(&self, frame: Frame) -> Response {
        self.render_with(frame, Vec::new())
    }

    fn render_with(&self, frame: Frame, typed: Vec<String>) -> Response {
        let status = self.status();
        let text = self.text();
        let mut response = page_with(status, &ErrorPage { frame, status: status.as_u16(), text, typed })
            .unwrap_or_else(|_| status.into_response());
        if matches!(self, Self::Busy) {
            let seconds = HeaderValue::from(BODY_RETRY_AFTER.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::Csrf => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "Page not found",
            Self::Forbidden => "Not allowed",
            Self::Csrf => "This form has expired",
            Self::TooLarge => "Too much data",
            Self::TooSlow(_) => "Request timed out",
            Self::Busy => "The server is busy",
            Self::BadRequest(_) => "Request failed",
            Self::TooMany(_) => "Too many requests",
            Self::Unavailable(_) | Self::Internal(_) => "Server error",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::NotFound(text) | Self::BadRequest(text) | Self::Unavailable(text) => text.clone(),
            Self::Forbidden => "Your account lacks the permission. An administrator can change that.".to_owned(),
            Self::Csrf => "You logged in again since this page was loaded, or another site tried to act in your name. \
                           Nothing was changed. Load the page again and repeat."
                .to_owned(),
            Self::TooLarge => "The form is larger than the server accepts.".to_owned(),
            Self::TooSlow(limit) => {
                format!("The form did not arrive within {} seconds. Please try again.", limit.as_secs())
            }
            Self::Busy => "Too many large requests are coming in at the moment. Nothing was stored. Please try again \
                           in a few seconds."
                .to_owned(),
            Self::TooMany(count) => format!("Try again in {}.", seconds(*count)),
            Self::Internal(error) => {
                let id = uuid::Uuid::new_v4();
                tracing::error!(request_id = %id, "a page failed: {error}");
                format!("See the server's log for {id}.")
            }
        }
    }
}

impl From<ServiceError> for PageError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NotFound(model) => Self::NotFound(format!("This {model} does not exist or was deleted.")),
            ServiceError::Forbidden => Self::Forbidden,
            ServiceError::Refused(refusal) => Self::BadRequest(sentence(&refusal)),
            ServiceError::TooOften { retry_after } => Self::TooMany(retry_after.as_secs().saturating_add(1)),
            ServiceError::Store(error) | ServiceError::Search(SearchError::Store(error)) => error.into(),
            ServiceError::Search(SearchError::TooManyFilters(limit)) => Self::BadRequest(format!(
                "Planned maintenance names more than {limit} filters right now, too many to search by."
            )),
            ServiceError::Search(error) => Self::Internal(error.to_string()),
            ServiceError::Internal(error) => Self::Internal(error.to_owned()),
        }
    }
}

impl From<Forbidden> for PageError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

impl From<BodyError> for PageError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) | BodyError::TooManyValues => Self::TooLarge,
            BodyError::TooSlow(limit) => Self::TooSlow(limit),
            BodyError::Busy => Self::Busy,
            BodyError::Unreadable(_) => Self::BadRequest("The form did not arrive. Please try again.".to_owned()),
        }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Unavailable("The server's disk is full. Nothing was stored.".to_owned()),
            StoreError::Unavailable(why) => Self::Unavailable(format!(
                "The data file is not available: {why}. Nothing was stored. Contact your administrator."
            )),
            StoreError::Closed => Self::Unavailable("The data file is not available now; try again later.".to_owned()),
            StoreError::Damaged(_) | StoreError::Io(_) => Self::Internal(error.to_string()),
        }
    }
}

/// "1 second", "2 seconds".
#[must_use]
pub fn seconds(count: u64) -> String {
    format!("{count} second{}", if count == 1 { "" } else { "s" })
}

/// A refusal as a sentence.
#[must_use]
pub fn sentence(refusal: &Refusal) -> String {
    let text = refusal.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// What a path does not name.
#[must_use]
pub fn missing(model: Model) -> PageError {
    ServiceError::NotFound(model).into()
}

impl IntoResponse for PageError {
    /// Without a body: [`finish`] knows who asks and makes a page of it.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Around every page: errors become pages, browsers are told what pages may do, notices are said once, sessions in use are
/// extended, and an answer for the page that is already shown adds nothing to the browser's history.
pub async fn finish(State(site): State<Site>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let had_notice = cookies::get(&parts.headers, NOTICE).is_some();
    let answer = next.run(Request::from_parts(parts.clone(), body)).await;
    let mut response = match answer.extensions().get::<PageError>().cloned() {
        Some(error) => match Visitor::from_request_parts(&mut parts, &site).await {
            Ok(visitor) => error.page(&site, &visitor),
            Err(_) => error.plain(&site),
        },
        None => answer,
    };
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let session = cookies::get(&parts.headers, cookies::SESSION);
    let set = response.headers().get_all(header::SET_COOKIE);
    let is_new_session = set.iter().any(|cookie| !cookie.as_bytes().starts_with(cookies::LAST_VIEW.as_bytes()));
    if let Some(secret) = session.filter(|_| !is_new_session) {
        renew_session(&site, &parts, secret, &mut response).await;
    }
    let notice = response.extensions().get::<Notice>();
    let notice = session.zip(notice).and_then(|(session, notice)| notice_cookie(&site, session, notice));
    let headers = response.headers_mut();
    if let Some(cookie) = notice {
        headers.append(header::SET_COOKIE, cookie);
    }
    if parts.headers.contains_key(HTMX) && stays(&parts) {
        headers.insert("hx-push-url", HeaderValue::from_static("false"));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if had_notice
        && is_page
        && let Some(cookie) = cookies::set(NOTICE, "", 0, false)
    {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// Extends the session that the request came with, if it is time, and the browser's cookies with it.
async fn renew_session(site: &Site, parts: &Parts, secret: &str, response: &mut Response) {
    match site.service.people().extend_session(secret).await {
        Ok(true) => {
            let (csrf, secure) = (site.service.people().csrf_token(secret), site.origin(parts).starts_with("https:"));
            for cookie in cookies::set_session(secret, &csrf, secure) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        Ok(false) => {}
        Err(error) => tracing::warn!("a session could not be extended: {error}"),
    }
}

/// Whether the browser stays at its address: the answer is that page again, or a form that was not accepted.
fn stays(parts: &Parts) -> bool {
    let current = parts.headers.get(CURRENT_URL).and_then(|url| url.to_str().ok()).and_then(|url| Url::parse(url).ok());
    !parts.method.is_safe()
        || current.is_some_and(|url| {
            Some(&url[Position::BeforePath..Position::AfterQuery])
                == parts.uri.path_and_query().map(PathAndQuery::as_str)
        })
}

/// To the form to log in, and from there to the page that was asked for, or, for a form that was sent, to its page.
#[must_use]
pub fn log_in_first(site: &Site, parts: &Parts) -> Response {
    let wanted = if parts.method.is_safe() {
        parts.uri.path_and_query().map(ToString::to_string)
    } else {
        own_referrer(site, parts)
    };
    let to = wanted.map_or_else(
        || LOG_IN.to_owned(),
        |path| format!("{LOG_IN}?next={}", utf8_percent_encode(&path, NON_ALPHANUMERIC)),
    );
    let mut response = see(&to);
    if parts.headers.contains_key(HTMX)
        && let Some(location) = response.headers_mut().remove(header::LOCATION)
    {
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().insert("hx-redirect", location);
    }
    response
}

/// Whether the browser says that a page of ours sent this, which pages of others cannot make it say.
#[must_use]
pub fn is_same_origin(site: &Site, parts: &Parts) -> bool {
    parts.headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() == site.origin(parts).as_bytes())
}

/// Path and query of the page of ours that the request came from; `None`: it is not known, or was a page of another site.
#[must_use]
pub fn own_referrer(site: &Site, parts: &Parts) -> Option<String> {
    let header = parts.headers.get(CURRENT_URL).or_else(|| parts.headers.get(header::REFERER))?;
    let url = Url::parse(header.to_str().ok()?).ok()?;
    let own = Url::parse(&site.origin(parts)).ok()?;
    let host = Position::BeforeHost..Position::AfterPort;
    (url[host.clone()] == own[host]).then(|| url[Position::BeforePath..Position::AfterQuery].to_owned())
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    status: u16,
    text: String,
    /// What the visitor had typed into a form, to be copied.
    typed: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_to_places_of_our_own_only() {
        for (wanted, got) in [
            (Some("/incidents/?open=1"), "/incidents/?open=1"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("javascript:alert(1)"), "/"),
            (Some("/a\nb"), "/"),
            (None, "/"),
        ] {
            assert_eq!(local_path(wanted), got);
        }
    }

    #[test]
    fn one_second_is_not_seconds() {
        assert_eq!([seconds(1), seconds(2)], ["1 second", "2 seconds"]);
    }

    #[test]
    fn refusals_are_sentences() {
        assert_eq!(sentence(&Refusal::UsernameTaken), "The username is taken.");
    }
}
