//! Outgoing pings, by which another system sees that this server is well.

use std::sync::Arc;

use reqwest::{Method, Url};

use super::{
    SetupError, Transcript,
    http::{Http, HttpRequest},
};
use crate::clock::Clock;
use crate::domain::{AttemptEnd, limits::PING_TIMEOUT, message::public_answer};

/// Requests one URL with GET.
pub struct Pinger {
    http: Http,
    url: Url,
}

impl Pinger {
    /// Creates the sender. The administrator chose the URL, so it may be in a private network, whatever the setting for
    /// messages is.
    pub fn new(url: &Url, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        Ok(Self { http: Http::new(true, PING_TIMEOUT, clock)?, url: url.clone() })
    }

    /// Sends one ping. Returns the reason if it was not answered with a status of success, without the URL, which may
    /// be a secret. Ends within a bounded time.
    pub async fn ping(&self) -> Result<(), String> {
        let request =
            HttpRequest { method: Method::GET, url: self.url.to_string(), headers: Vec::new(), body: Vec::new() };
        let outcome = self.http.send(request, &mut Transcript::default()).await;
        match outcome.ended {
            AttemptEnd::Sent => Ok(()),
            _ => Err(public_answer(&outcome.answer).to_owned()),
        }
    }
}
