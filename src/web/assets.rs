//! Style sheets, scripts, pictures and sounds, which are part of the program. Their addresses change with their
//! content, so browsers may cache them forever.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::Site;
use crate::http::{
    answers::PartOfProgram,
    routes::{Routes, get},
};
use crate::service::Action;

#[derive(RustEmbed)]
#[folder = "web/css"]
#[prefix = "css/"]
struct Css;

#[derive(RustEmbed)]
#[folder = "web/js"]
#[prefix = "js/"]
struct Js;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Assets;

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

static VERSIONS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let names = Css::iter().chain(Js::iter()).chain(Assets::iter());
    names.filter_map(|name| Some((name.to_string(), version(&find(&name)?)))).collect()
});

/// Returns the routes of files that pages load.
pub(super) fn routes() -> Routes<Site> {
    Routes::of(Action::UsePublic)
        .route("/favicon.ico/", get(icon))
        .route("/static/tokens.css", get(tokens))
        .route("/static/{*path}", get(serve))
}

/// Returns the address of a file, such as `css/base.css`, with its version.
#[must_use]
pub fn address(name: &str) -> String {
    match VERSIONS.get(name) {
        Some(version) => format!("/static/{name}?v={version}"),
        None => format!("/static/{name}"),
    }
}

async fn serve(Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let Some(file) = find(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let asked = query.as_deref().and_then(|query| query.strip_prefix("v="));
    let kept = if asked.is_some() && asked == VERSIONS.get(&name).map(String::as_str) { FOR_EVER } else { ASK_AGAIN };
    let kind = HeaderValue::from_static(media_type(&name));
    let body = match file.data {
        Cow::Borrowed(bytes) => (Extension(PartOfProgram), bytes).into_response(),
        Cow::Owned(bytes) => bytes.into_response(),
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)], body).into_response()
}

/// Serves the icon to browsers that look for it themselves, for example when they show JSON.
async fn icon() -> Response {
    serve(Path("img/argusd.svg".to_owned()), RawQuery(None)).await
}

/// Serves the operator's own custom properties. Empty if there are none.
async fn tokens(State(site): State<Site>) -> Response {
    let text = site.settings().tokens.clone().unwrap_or_default();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/css")), (header::CACHE_CONTROL, ASK_AGAIN)], text)
        .into_response()
}

fn find(name: &str) -> Option<EmbeddedFile> {
    Css::get(name).or_else(|| Js::get(name)).or_else(|| Assets::get(name))
}

fn version(file: &EmbeddedFile) -> String {
    hex::encode(file.metadata.sha256_hash()).chars().take(12).collect()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "wav" => "audio/wav",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_change_with_the_content() {
        assert!(address("css/base.css").starts_with("/static/css/base.css?v="));
        assert_eq!(address("css/none.css"), "/static/css/none.css");
    }
}
