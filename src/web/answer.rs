//! Answers of pages: a page, a redirect, or an error page. Only this module converts errors to pages.

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

use super::{Frame, Section, Site, Visitor, submissions::ShownOnce};
use crate::domain::limits::BODY_RETRY_AFTER;
use crate::http::{body::BodyError, cookies, error::logged_id};
use crate::service::{Forbidden, Model, Refusal, SearchError, ServiceError, StoreError};

/// Cookie with a notice of what was done, until a page has shown it.
pub const NOTICE: &str = "notice";
/// Path of the login form.
const LOG_IN: &str = "/accounts/login/";
/// Headers of requests by htmx: the first marks them, the second has the address of the page.
const HTMX: &str = "hx-request";
const CURRENT_URL: &str = "hx-current-url";
/// Greatest length of a notice, in characters.
const NOTICE_LENGTH: usize = 300;

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

pub type PageResult = Result<Response, PageError>;

/// Returns a page, or a part of one.
pub fn page(template: &impl Template) -> PageResult {
    page_with(StatusCode::OK, template)
}

/// Returns a page with something that is shown only once, such as a new token. If the form was sent twice, both answers
/// are this page.
pub fn page_once(template: &impl Template) -> PageResult {
    let mut response = page(template)?;
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// Returns a form that was refused, with the entered values.
pub fn refused(template: &impl Template) -> PageResult {
    page_with(StatusCode::UNPROCESSABLE_ENTITY, template)
}

/// Returns a page, or a part of one, with this status.
pub fn page_with(status: StatusCode, template: &impl Template) -> PageResult {
    let html = template.render().map_err(|error| PageError::Internal(error.to_string()))?;
    Ok((status, Html(html)).into_response())
}

/// Redirects to a page after a change, so that going back or reloading does not repeat it.
#[must_use]
pub fn see(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Redirects like [`see`] to a page that shows a notice of what was done.
#[must_use]
pub fn done(path: &str, notice: &str) -> Response {
    let mut response = see(path);
    response.extensions_mut().insert(Notice(notice.chars().take(NOTICE_LENGTH).collect()));
    response
}

/// Extension of an answer: a notice, which [`finish`] signs with the secret of the session and puts into a cookie.
#[derive(Clone)]
struct Notice(String);

fn notice_cookie(site: &Site, session: &str, Notice(text): &Notice) -> Option<HeaderValue> {
    let signature = site.service.people().sign_notice(session, text);
    cookies::set(NOTICE, &format!("{signature}.{}", utf8_percent_encode(text, NON_ALPHANUMERIC)), 60, false)
}

/// Returns `wanted` if it is a path of this site, and `/` otherwise.
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

/// Reason why a page is not shown or a change was not made. Shown as a page.
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
    /// A fault of the server. The text is logged, not shown.
    Internal(String),
}

impl PageError {
    /// Returns the error page without the menu, for requests whose visitor is unknown.
    #[must_use]
    pub fn plain(&self, site: &Site) -> Response {
        self.render(Frame::anonymous(site, self.title(), String::new()))
    }

    #[must_use]
    pub fn page(&self, site: &Site, visitor: &Visitor) -> Response {
        self.page_with_typed(site, visitor, Vec::new())
    }

    /// Returns the error page with the texts of the refused form, so that the visitor can copy them.
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
                let id = logged_id();
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

/// Returns "1 second", "2 seconds" and so on.
#[must_use]
pub fn seconds(count: u64) -> String {
    format!("{count} second{}", if count == 1 { "" } else { "s" })
}

/// Returns a refusal as a sentence.
#[must_use]
pub fn sentence(refusal: &Refusal) -> String {
    let text = refusal.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// Returns the error for a path that names something that does not exist.
#[must_use]
pub fn missing(model: Model) -> PageError {
    ServiceError::NotFound(model).into()
}

impl IntoResponse for PageError {
    /// Returns an answer without a body. [`finish`] knows the visitor, and replaces it by a page.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Wraps all pages: converts errors to pages, sets the headers for browsers, shows notices once and extends sessions in
/// use. An answer for the page that is shown already adds nothing to the history of the browser.
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

/// Extends the session of the request if it is time, together with the cookies in the browser.
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

/// Returns whether the browser stays at its address: the answer is the same page again, or a refused form.
fn stays(parts: &Parts) -> bool {
    let current = parts.headers.get(CURRENT_URL).and_then(|url| url.to_str().ok()).and_then(|url| Url::parse(url).ok());
    !parts.method.is_safe()
        || current.is_some_and(|url| {
            Some(&url[Position::BeforePath..Position::AfterQuery])
                == parts.uri.path_and_query().map(PathAndQuery::as_str)
        })
}

/// Redirects to the login form. From there the visitor returns to the requested page, or to the page of the form that
/// was sent.
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

/// Returns whether the browser confirms that the request comes from a page of this site. Other sites cannot fake that.
#[must_use]
pub fn is_same_origin(site: &Site, parts: &Parts) -> bool {
    parts.headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() == site.origin(parts).as_bytes())
}

/// Returns path and query of the page of this site that the request came from. `None` if that is unknown or another
/// site.
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
    /// Values that the visitor entered into a form, to be copied.
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
