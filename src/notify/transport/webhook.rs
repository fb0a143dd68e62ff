//! Medium `webhook`: event and incident as JSON, in the shape of version 2 of the API, signed.

mod payload;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{
    Method,
    header::{self, HeaderName},
};
use sha2::Sha256;

use super::{
    AttemptOutcome, Transcript, Transport,
    http::{Http, HttpRequest},
};
use crate::clock::Clock;
use crate::domain::Zoned;
use crate::notify::{Outgoing, text::atom};

const SIGNATURE: HeaderName = HeaderName::from_static("x-argusd-signature");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-argusd-timestamp");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(super) struct Webhook {
    pub http: Arc<Http>,
    pub zoned: Zoned,
    pub clock: Arc<dyn Clock>,
}

impl Transport for Webhook {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        let now = self.clock.now();
        let body = payload::write(message, &self.zoned, now).into_bytes();
        let mut headers = vec![
            (header::CONTENT_TYPE, "application/json".to_owned()),
            (TIMESTAMP, now.micros().div_euclid(1_000_000).to_string()),
            (IDEMPOTENCY_KEY, atom(&message.id)),
        ];
        headers.extend(own_headers(message.setting("headers")));
        let secret = message.setting("secret");
        if !secret.is_empty() {
            headers.push((SIGNATURE, signature(secret, &body)));
        }
        let url = message.setting("destination_url").to_owned();
        Box::pin(self.http.send(HttpRequest { method: Method::POST, url, headers, body }, transcript))
    }
}

/// Parses additional headers from a JSON object. It was checked when it was set; headers that this version refuses are
/// left out.
fn own_headers(text: &str) -> Vec<(HeaderName, String)> {
    let own: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
    let headers = own.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value)));
    headers.filter(|(name, _)| *name != header::CONTENT_TYPE).collect()
}

/// Returns `sha256=` and the HMAC of the body in hexadecimal digits.
fn signature(secret: &str, body: &[u8]) -> String {
    // A key may have any length.
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map(|mac| mac.chain_update(body));
    mac.map(|mac| format!("sha256={}", hex::encode(mac.finalize().into_bytes()))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn signs_as_everybody_does() {
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
