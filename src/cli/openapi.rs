//! `argusd openapi`: prints the OpenAPI document of an API version.

use std::process::ExitCode;

use super::{args::ApiVersion, output};
use crate::http;

pub(super) fn run(version: ApiVersion) -> anyhow::Result<ExitCode> {
    let document = match version {
        ApiVersion::V1 => http::openapi(http::Version::V1),
        ApiVersion::V2 => http::openapi(http::Version::V2),
        ApiVersion::Native => http::native_openapi(),
    };
    output::say(serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}
