//! Login page, login and logout.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use crate::domain::limits::{DEVICE_LIFE, SESSION_LIFE};
use crate::http::{Payload, cookies, peer};
use crate::service::{Browser, LoginFailure};
use crate::web::{
    FormFields, Frame, PageResult, Posted, Problem, Site, Visitor,
    answer::{self, local_path, page_with, seconds},
    see,
    visitor::last_view,
};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    next: String,
    username: String,
    problem: Option<Problem>,
}

pub async fn form(State(site): State<Site>, request: Request) -> PageResult {
    let (mut parts, _) = request.into_parts();
    let fields = FormFields::of_query(parts.uri.query());
    // Pages that are shown when a session ends link here and ask to return.
    let back = fields.ticked("back").then(|| answer::own_referrer(&site, &parts)).flatten();
    let next = local_path(back.as_deref().or(fields.get("next"))).to_owned();
    if Visitor::from_request_parts(&mut parts, &site).await.is_ok() {
        return Ok(see(&next));
    }
    let page = LoginPage {
        frame: Frame::anonymous(&site, "Log in", String::new()),
        next,
        username: String::new(),
        problem: None,
    };
    ask(&site, &parts, StatusCode::OK, page)
}

/// Logs in. Always opens a new session, so that nobody can be given one that somebody else knows.
pub async fn log_in(State(site): State<Site>, request: Request) -> PageResult {
    let (parts, body) = request.into_parts();
    let bytes = Payload::new(parts.clone(), body, None).form().await?;
    let fields = FormFields::parse(&bytes);
    let (next, username) = (local_path(fields.get("next")).to_owned(), fields.text("username"));
    let again = |status, problem: Problem| {
        let frame = Frame::anonymous(&site, "Log in", String::new());
        let page = LoginPage { frame, next: next.clone(), username: username.clone(), problem: Some(problem) };
        ask(&site, &parts, status, page)
    };
    let cookie = cookies::get(&parts.headers, cookies::CSRF).filter(|value| !value.is_empty());
    // Another tab may have logged in since this form was loaded, which replaced the cookie.
    if cookie.is_none() || (cookie != fields.get("csrf") && !answer::is_same_origin(&site, &parts)) {
        if session_user(&site, &parts).is_some_and(|user| user == username) {
            return Ok(see(&next));
        }
        return again(
            StatusCode::FORBIDDEN,
            "The form has expired, or your browser blocks cookies. Please try again.".into(),
        );
    }
    let browser = Browser {
        peer: peer::client(&site.inner.http, &parts),
        name: &browser(&parts.headers),
        device: cookies::get(&parts.headers, cookies::DEVICE),
    };
    let password = fields.raw("password").unwrap_or_default();
    match site.service.people().open_session(&username, password, browser).await {
        Ok(session) => {
            let mut response = see(&next);
            let secure = site.origin(&parts).starts_with("https:");
            let mut set = cookies::set_session(&session.secret, &session.csrf, secure);
            set.extend(cookies::set(cookies::DEVICE, &session.device, whole_seconds(DEVICE_LIFE), secure));
            for cookie in set {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(LoginFailure::BadCredentials) => {
            let problem = Problem::of("password", "Wrong username or password.");
            again(StatusCode::UNAUTHORIZED, problem)
        }
        Err(LoginFailure::TooManyTries { retry_after }) => {
            let wait = seconds(retry_after.as_secs().saturating_add(1));
            again(StatusCode::TOO_MANY_REQUESTS, format!("Too many attempts. Try again in {wait}.").into())
        }
        Err(LoginFailure::Store(error)) => Err(error.into()),
    }
}

/// Logs out. Moves the last view from the cookie to the preferences of the user.
pub async fn log_out(State(site): State<Site>, headers: HeaderMap, Posted { visitor, .. }: Posted) -> PageResult {
    if let Some(view) = last_view(&visitor.caller, &headers).map(str::to_owned) {
        site.service.people().change_preferences(&visitor.caller, |preferences| preferences.last_view = view).await?;
    }
    site.service.people().end_session(&visitor.caller).await?;
    let mut response = answer::see("/accounts/login/");
    for name in [cookies::SESSION, cookies::CSRF, cookies::LAST_VIEW] {
        if let Some(cookie) = cookies::set(name, "", 0, false) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

/// Shows the login form. It can be sent only with the cookie that is set here. An existing cookie is kept, so that the
/// forms in other tabs of the browser can still be sent.
fn ask(site: &Site, parts: &Parts, status: StatusCode, mut page: LoginPage) -> PageResult {
    let known = cookies::get(&parts.headers, cookies::CSRF).filter(|value| is_csrf(value));
    let csrf = known.map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned);
    page.frame.csrf.clone_from(&csrf);
    let mut response: Response = page_with(status, &page)?.into_response();
    let secure = site.origin(parts).starts_with("https:");
    if let Some(cookie) = cookies::set(cookies::CSRF, &csrf, whole_seconds(SESSION_LIFE), secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Returns whether `value` looks like a secret that this server gave to a form or a session: 32 or 64 hex digits.
fn is_csrf(value: &str) -> bool {
    [32, 64].contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the username of the session of the request.
fn session_user(site: &Site, parts: &Parts) -> Option<String> {
    let caller = site.service.people().session(cookies::get(&parts.headers, cookies::SESSION)?)?;
    Some(caller.user.username.clone())
}

fn whole_seconds(life: Duration) -> i64 {
    i64::try_from(life.as_secs()).unwrap_or(i64::MAX)
}

/// Returns the name of the browser, such as "Firefox on Linux", by which users recognize their sessions.
fn browser(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first =
        |names: &[(&str, &'static str)]| names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name);
    let program = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    let mut text = program.unwrap_or("Unknown browser").to_owned();
    if let Some(system) = system {
        text.push_str(" on ");
        text.push_str(system);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_browsers() {
        let name = |agent: &str| browser(&HeaderMap::from_iter([(header::USER_AGENT, agent.parse().unwrap())]));
        assert_eq!(name("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "Firefox on Linux");
        assert_eq!(name("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/604.1"), "Safari on iPhone");
        assert_eq!(name("curl/8"), "Unknown browser");
    }
}
