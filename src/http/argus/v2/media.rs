//! The media of destinations, and their settings (contract section 16.1).

use std::fmt::Write;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::domain::{destination::EMAIL, setting::Setting};
use crate::http::{Api, ApiError, HandlerResult, Location, argus::keys::Name, reply};
use crate::service::{Model, OfferedMedium};

#[derive(Serialize, ToSchema)]
#[schema(as = Media)]
pub struct MediumBody {
    slug: String,
    name: String,
    /// False for a plug-in whose executable is missing.
    installed: bool,
}

impl MediumBody {
    #[must_use]
    pub fn new(medium: &OfferedMedium) -> Self {
        Self { slug: medium.medium.slug().to_owned(), name: medium.name.clone(), installed: medium.installed }
    }
}

#[derive(Serialize, ToSchema)]
struct MediumSchema {
    #[schema(value_type = Object)]
    json_schema: Value,
}

/// List media
#[utoipa::path(get, path = "/notificationprofiles/media/", tag = "destinations",
    responses((status = 200, body = Vec<MediumBody>)))]
pub async fn list(State(api): State<Api>) -> HandlerResult {
    let bodies: Vec<MediumBody> = api.service.notifications().media().iter().map(MediumBody::new).collect();
    Ok(reply::json(StatusCode::OK, &bodies))
}

/// Read a medium
#[utoipa::path(get, path = "/notificationprofiles/media/{slug}/", tag = "destinations",
    responses((status = 200, body = MediumBody)))]
pub async fn retrieve(State(api): State<Api>, Name(slug): Name) -> HandlerResult {
    Ok(reply::json(StatusCode::OK, &MediumBody::new(&known(&api, &slug)?)))
}

/// Read the JSON schema of a medium
///
/// Describes the settings of a destination.
#[utoipa::path(get, path = "/notificationprofiles/media/{slug}/json_schema/", tag = "destinations",
    responses((status = 200, body = MediumSchema)))]
pub async fn json_schema(State(api): State<Api>, Name(slug): Name, location: Location) -> HandlerResult {
    let medium = known(&api, &slug)?;
    Ok(reply::json(StatusCode::OK, &MediumSchema { json_schema: schema(&medium, &location.origin) }))
}

/// Serves the schema as a page, at the address that the schema gives as its own.
pub async fn schema_page(State(api): State<Api>, Path(slug): Path<String>, location: Location) -> Response {
    let Some(medium) = api.service.notifications().offered_medium(&slug) else {
        return ApiError::not_found().into_response();
    };
    let schema = serde_json::to_string_pretty(&schema(&medium, &location.origin)).unwrap_or_default();
    let mut page = String::from("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">");
    let _ = write!(
        page,
        "<title>{0} settings</title><h1>{0} settings</h1><pre>{1}</pre></html>",
        escaped(&medium.name),
        escaped(&schema)
    );
    Html(page).into_response()
}

fn known(api: &Api, slug: &str) -> Result<OfferedMedium, ApiError> {
    api.service.notifications().offered_medium(slug).ok_or_else(|| ApiError::no_match(Model::Medium))
}

fn schema(offered: &OfferedMedium, base: &str) -> Value {
    let OfferedMedium { medium, name: title, .. } = offered;
    let name = if medium.slug() == EMAIL { EMAIL } else { title };
    let required = medium.settings().iter().filter(|it| !it.secret).map(|it| it.key);
    json!({
        "title": format!("{title} Settings"),
        "description": format!("Settings for a DestinationConfig using {name}."),
        "type": "object",
        "required": required.collect::<Vec<_>>(),
        "properties": medium.settings().iter().map(property).collect::<Map<String, Value>>(),
        "$id": format!("{base}/json-schema/{}", medium.slug()),
    })
}

fn property(setting: &Setting) -> (String, Value) {
    let mut property = json!({ "type": "string", "title": setting.title });
    if !setting.description.is_empty() {
        property["description"] = setting.description.into();
    }
    if setting.form.is_url() {
        property["format"] = "uri".into();
    }
    if setting.secret {
        property["writeOnly"] = true.into();
    }
    (setting.key.to_owned(), property)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
