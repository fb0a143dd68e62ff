//! Request bodies: JSON, forms and multipart forms, within the limits of size and time (contract section 1.1).

mod form;

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::{
    error::ApiError,
    fields::{Fields, python},
};
use crate::domain::limits;

/// A body that is not read yet: objects are looked up and rights are checked first.
#[derive(Debug)]
pub struct Payload {
    headers: HeaderMap,
    body: Body,
}

/// What was sent.
#[derive(Clone, Debug)]
pub struct Input {
    pub value: Value,
    /// Everything is a string, and lists are repeated fields.
    pub is_form: bool,
}

impl<S: Sync> FromRequest<S> for Payload {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (parts, body) = request.into_parts();
        Ok(Self { headers: parts.headers, body })
    }
}

impl Payload {
    /// The fields of the object that the body is.
    pub async fn fields(self) -> Result<Fields, ApiError> {
        self.read().await?.into_fields()
    }

    /// What `take` makes of the fields; `None` where it noted something wrong with them.
    pub async fn parse<T>(self, take: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, ApiError> {
        let mut fields = self.fields().await?;
        let taken = take(&mut fields);
        match taken {
            Some(taken) if !fields.has_errors() => Ok(taken),
            _ => Err(fields.refuse()),
        }
    }

    /// Nothing at all is an empty object.
    pub async fn read(self) -> Result<Input, ApiError> {
        let media_type = self.headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
        let bytes = receive(&self.headers, self.body).await?;
        if bytes.is_empty() {
            return Ok(Input { value: Value::Object(Map::new()), is_form: false });
        }
        match essence(media_type).as_str() {
            "application/json" => match serde_json::from_slice(&bytes) {
                Ok(value) => Ok(Input { value, is_form: false }),
                Err(error) => Err(bad_request(format!("JSON parse error - {error}"))),
            },
            "application/x-www-form-urlencoded" => Ok(Input { value: form::urlencoded(&bytes), is_form: true }),
            "multipart/form-data" => match form::multipart(media_type, bytes).await {
                Ok(value) => Ok(Input { value, is_form: true }),
                Err(error) => Err(bad_request(format!("Multipart form parse error - {error}"))),
            },
            _ => Err(ApiError::detail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("Unsupported media type \"{media_type}\" in request."),
            )),
        }
    }
}

impl Input {
    pub fn into_fields(self) -> Result<Fields, ApiError> {
        match self.value {
            Value::Object(map) => Ok(Fields::new(map, self.is_form)),
            Value::Null => Err(ApiError::non_field("No data provided")),
            other => Err(ApiError::non_field(python::not_a_dictionary(&other))),
        }
    }
}

/// All of it.
pub async fn receive(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > limits::BODY_BYTES as u64) {
        return Err(too_large());
    }
    let whole = Limited::new(body, limits::BODY_BYTES).collect();
    match tokio::time::timeout(limits::BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(bad_request(format!("The request's body cannot be read: {error}"))),
        Err(_) => Err(ApiError::detail(
            StatusCode::REQUEST_TIMEOUT,
            format!("The request's body did not arrive within {} seconds.", limits::BODY_TIMEOUT.as_secs()),
        )),
    }
}

/// Without parameters, in lower case.
#[must_use]
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn too_large() -> ApiError {
    ApiError::detail(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("The request's body is larger than {} bytes.", limits::BODY_BYTES),
    )
}

fn bad_request(text: String) -> ApiError {
    ApiError::detail(StatusCode::BAD_REQUEST, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(media_type: &str, body: impl Into<Body>) -> Payload {
        let mut headers = HeaderMap::new();
        if !media_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        }
        Payload { headers, body: body.into() }
    }

    async fn error(media_type: &str, body: impl Into<Body>) -> (u16, Value) {
        let error = payload(media_type, body).fields().await.unwrap_err();
        (error.status().as_u16(), error.body().clone())
    }

    #[tokio::test]
    async fn takes_nothing_for_an_empty_object() {
        for media_type in ["", "text/plain", "application/json"] {
            assert_eq!(payload(media_type, "").read().await.unwrap().value, json!({}));
        }
    }

    #[tokio::test]
    async fn takes_json_with_any_charset_parameter() {
        let input = payload("Application/JSON; charset=utf-8", r#"{"a": [1]}"#).read().await.unwrap();
        assert_eq!((input.value, input.is_form), (json!({"a": [1]}), false));
    }

    #[tokio::test]
    async fn takes_both_kinds_of_forms() {
        let input = payload("application/x-www-form-urlencoded", "a=1&b=%C3%A5+b").read().await.unwrap();
        assert_eq!((input.value, input.is_form), (json!({"a": "1", "b": "å b"}), true));
        let multipart = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
        let input = payload("multipart/form-data; boundary=x", multipart).read().await.unwrap();
        assert_eq!(input.value, json!({"a": "1"}));
    }

    #[tokio::test]
    async fn refuses_other_types_with_the_text_of_the_contract() {
        let expected = json!({"detail": "Unsupported media type \"text/plain\" in request."});
        assert_eq!(error("text/plain", "x").await, (415, expected));
        assert_eq!(error("", "x").await.0, 415);
    }

    #[tokio::test]
    async fn refuses_broken_json() {
        let deep = "[".repeat(100_000);
        let invalid = b"{\"a\": \"\xff\"}".to_vec();
        for body in ["{".to_owned().into_bytes(), deep.into_bytes(), invalid, b"{\"a\": 1e999}".to_vec()] {
            let (status, body) = error("application/json", body).await;
            assert_eq!(status, 400);
            assert!(body["detail"].as_str().unwrap().starts_with("JSON parse error - "), "{body}");
        }
        assert_eq!(error("multipart/form-data; boundary=x", "--x\r\n").await.0, 400);
        assert_eq!(error("multipart/form-data", "--x\r\n").await.0, 400);
    }

    #[tokio::test]
    async fn names_the_wrong_type() {
        for (body, name) in [("[]", "list"), ("\"x\"", "str"), ("1", "int"), ("1.5", "float"), ("true", "bool")] {
            let text = format!("Invalid data. Expected a dictionary, but got {name}.");
            assert_eq!(error("application/json", body).await, (400, json!({"non_field_errors": [text]})));
        }
        let expected = json!({"non_field_errors": ["No data provided"]});
        assert_eq!(error("application/json", "null").await, (400, expected));
    }

    #[tokio::test]
    async fn refuses_what_is_too_large() {
        assert_eq!(error("application/json", vec![b' '; limits::BODY_BYTES + 1]).await.0, 413);
    }
}
