//! Metadata and health of the server (contract section 20).

use axum::{http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Location, Version, reply};

#[derive(Serialize, ToSchema)]
pub struct Metadata {
    #[serde(rename = "server-version")]
    server_version: &'static str,
    #[serde(rename = "api-version")]
    api_version: ApiVersions,
    #[serde(rename = "jsonapi-schema")]
    schemas: Schemas,
    ticket_plugin: Option<&'static str>,
    destination_plugins: &'static [&'static str],
}

#[derive(Serialize, ToSchema)]
struct ApiVersions {
    stable: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Schemas {
    stable: &'static str,
    v1: &'static str,
    v2: &'static str,
}

/// Versions and plug-ins
#[utoipa::path(get, path = "/api/", tag = "server", responses((status = 200, body = Metadata)))]
pub async fn metadata() -> Response {
    let metadata = Metadata {
        server_version: env!("CARGO_PKG_VERSION"),
        api_version: ApiVersions { stable: Version::V2.name() },
        schemas: Schemas { stable: "/api/schema/", v1: "/api/v1/schema/", v2: "/api/v2/schema/" },
        ticket_plugin: None,
        destination_plugins: &[],
    };
    reply::json(StatusCode::OK, &metadata)
}

#[derive(Serialize, ToSchema)]
pub struct LoginMethod {
    /// `username_password`
    r#type: &'static str,
    url: String,
    name: &'static str,
}

/// List login methods
///
/// The only one is a username and a password, posted to `url`.
#[utoipa::path(get, path = "/login-methods/", tag = "server", responses((status = 200, body = Vec<LoginMethod>)))]
pub async fn login_methods(location: Location) -> Response {
    let url = format!("{}{}/token-auth/", location.origin, Version::V1.prefix());
    reply::json(StatusCode::OK, &[LoginMethod { r#type: "username_password", url, name: "user_pw" }])
}

/// Check that the server is alive
///
/// Accepts any method.
#[utoipa::path(get, path = "/.still-alive/", tag = "server", responses((status = 204)))]
pub async fn still_alive() -> StatusCode {
    StatusCode::NO_CONTENT
}
