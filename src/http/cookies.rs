//! The cookies of browser sessions (contract section 2.1).

use axum::http::{HeaderMap, HeaderValue, header};

use crate::domain::limits::SESSION_LIFE;

/// Cookie with the secret of a session. Scripts cannot read it.
pub const SESSION: &str = "sessionid";
/// Cookie with the token that proves that a request comes from our own pages. Scripts can read it.
pub const CSRF: &str = "csrftoken";
pub const CSRF_HEADER: &str = "x-csrftoken";
/// Cookie of a browser that has logged in before, so that others who guess the password do not lock its user out.
pub const DEVICE: &str = "device";
/// Cookie with the last filter of a user in this browser: the id of the user, a dot, and the query of an address.
pub const LAST_VIEW: &str = "lastview";

/// Returns the value of the first cookie with that name.
#[must_use]
pub fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Returns a `Set-Cookie` header. The value must not contain spaces, commas, semicolons or quotes. `seconds` is the
/// lifetime; 0 deletes the cookie.
#[must_use]
pub fn set(name: &str, value: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
    let for_us = if [SESSION, DEVICE, LAST_VIEW].contains(&name) { "; HttpOnly" } else { "" };
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; Max-Age={seconds}; SameSite=Lax{for_us}{secure}")).ok()
}

/// Returns the `Set-Cookie` headers for both secrets of a session.
#[must_use]
pub fn set_session(secret: &str, csrf: &str, secure: bool) -> Vec<HeaderValue> {
    let seconds = i64::try_from(SESSION_LIFE.as_secs()).unwrap_or(i64::MAX);
    [(SESSION, secret), (CSRF, csrf)]
        .into_iter()
        .filter_map(|(name, value)| set(name, value, seconds, secure))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; sessionid=abc;csrftoken=x"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(get(&headers, SESSION), Some("abc"));
        assert_eq!(get(&headers, CSRF), Some("x"));
        assert_eq!(get(&headers, "b"), Some("2"));
        assert_eq!(get(&headers, "session"), None);
    }

    #[test]
    fn hides_the_session_from_scripts() {
        let value = set(SESSION, "abc", 60, true).unwrap();
        assert_eq!(value, "sessionid=abc; Path=/; Max-Age=60; SameSite=Lax; HttpOnly; Secure");
        assert_eq!(set(CSRF, "x", 0, false).unwrap(), "csrftoken=x; Path=/; Max-Age=0; SameSite=Lax");
    }
}
