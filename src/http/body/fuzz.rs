//! Fuzz target for bodies that are not parsed yet: the charge is never less than the memory that they take.

use axum::{
    body::Body,
    http::{Extensions, HeaderMap, HeaderValue, Method, header},
};
use serde_json::Value;
use tokio::runtime::Builder;

use super::{Payload, Terms, cost, essence};
use crate::{
    domain::limits,
    fuzz::{run, within_memory},
};

/// Media type, line break and body.
const EXAMPLES: &[&str] = &[
    "application/json\n{\"a\": [1, 2.5, {\"b\": \"c\"}], \"d\": null, \"e\": 18446744073709551616, \"tags\": [{\"tag\": \"a=b\"}]}",
    "application/json; charset=utf-8\n[[[[1]]], \"\\ud83d\\ude00\", {}]",
    "application/x-www-form-urlencoded\na=1&a=2&tags[1]tag=y&tags[0].tag=x&ids[0]=7&event.description=e&plain=%C3%A5+b",
    "application/x-www-form-urlencoded\na[4294967295]=1&b.c.d=2&[]=3&e&=4&&",
    "multipart/form-data; boundary=x\n--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\nContent-Disposition: \
     form-data; name=\"tags[0]tag\"; filename=\"f\"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nb=c\r\n--x--\r\n",
    "text/plain\nx",
];

#[test]
fn unparsed_bodies() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    run("unparsed_bodies", EXAMPLES, |input| {
        let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let (media_type, body) = (&input[..at], input.get(at + 1..).unwrap_or_default());
        let Ok(media_type) = HeaderValue::from_bytes(media_type) else { return };
        let text = media_type.to_str().unwrap_or("?").to_owned();
        let charge = match essence(&text).as_str() {
            "application/json" => cost::of_json(body),
            "application/x-www-form-urlencoded" => cost::of_form(body),
            "multipart/form-data" => cost::of_multipart(body),
            _ => 0,
        };
        let payload = Payload {
            method: Method::POST,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, media_type)]),
            body: Body::from(body.to_vec()),
            longest: limits::BODY_BYTES,
            terms: Terms::of(&Extensions::new()),
        };
        // The counting allocator grows a list by copying it, so both copies count.
        let read = within_memory((64 << 10) + 3 * body.len() + 8 * text.len() + 2 * charge, || {
            runtime.block_on(payload.read())
        });
        match read {
            Ok(input) if body.is_empty() => assert_eq!(input.value, serde_json::json!({})),
            Ok(input) => {
                assert!(charge > 0, "{text}");
                if !input.is_form {
                    assert_eq!(Some(&input.value), serde_json::from_slice::<Value>(body).ok().as_ref());
                }
                assert!(input.is_form != (essence(&text) == "application/json"));
                assert!(input.exact.len() <= input.value.as_object().map_or(0, serde_json::Map::len));
                drop(input.into_fields());
            }
            Err(error) => {
                assert!(matches!(error.status().as_u16(), 400 | 413 | 415), "{}", error.status());
                let detail = error.body()["detail"].as_str().unwrap();
                assert!(!detail.is_empty() && detail.len() <= 1_024 + 4 * input.len(), "{detail}");
            }
        }
    });
}
