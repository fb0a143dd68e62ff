//! Medium `ntfy`: publishes to a topic of an ntfy server.
//!
//! Uses the server's JSON form, because header values cannot contain all characters.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::{Method, Url, header};
use serde_json::json;

use super::{
    AttemptOutcome, Transcript, Transport,
    http::{Http, HttpRequest},
};
use crate::domain::{
    EventType,
    channel_types::{email, ntfy},
};
use crate::notify::{
    Content, Notice, Outgoing,
    template::Templates,
    text::{TextLimit, cut, one_line},
    view::MessageView,
};

/// Longest message in bytes. Servers convert messages of more than 4,096 bytes to files.
const LONGEST_MESSAGE_BYTES: usize = 3_800;
const LONGEST_TITLE: usize = 250;
const DEFAULT_PRIORITY: u8 = 3;

pub(super) struct Ntfy {
    pub http: Arc<Http>,
    pub templates: Arc<Templates>,
    pub time_zone: chrono_tz::Tz,
}

impl Transport for Ntfy {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        let Some((server, topic)) = split(message.setting("destination_url")) else {
            let reason = "The destination's address is not that of a topic, such as https://ntfy.example.org/topic.";
            return Box::pin(std::future::ready(AttemptOutcome::fail(reason.to_owned())));
        };
        let mut headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
        let token = message.setting("token");
        if !token.is_empty() {
            headers.push((header::AUTHORIZATION, format!("Bearer {token}")));
        }
        let body = self.body(&topic, message).into_bytes();
        Box::pin(self.http.send(HttpRequest { method: Method::POST, url: server, headers, body }, transcript))
    }
}

impl Ntfy {
    fn body(&self, topic: &str, message: &Outgoing) -> String {
        let view = MessageView::local(&message.content, self.time_zone);
        let title = one_line(&self.templates.render(email::SUBJECT, &view));
        let text = self.templates.render_within(ntfy::TEXT, &view, TextLimit::Bytes(LONGEST_MESSAGE_BYTES));
        let worst = match &message.content {
            Content::Event(notice) => Some(notice),
            Content::Summary(summary) => summary.notices.first(),
            Content::Test { .. } => None,
        };
        let mut body = json!({
            "topic": topic,
            "title": cut(&title, LONGEST_TITLE),
            "message": text.trim_end(),
            "priority": worst.map_or(DEFAULT_PRIORITY, priority),
            "tags": worst.map(tags).unwrap_or_default(),
        });
        if let (Content::Event(Notice { link: Some(link), .. }), Some(members)) =
            (&message.content, body.as_object_mut())
        {
            members.insert("click".to_owned(), link.as_str().into());
        }
        body.to_string()
    }
}

/// Returns the priority. Level 1, the worst, is priority 5, the highest.
fn priority(notice: &Notice) -> u8 {
    6_u8.saturating_sub(notice.event.after.level.get())
}

/// Returns the tags. ntfy shows names that it knows as pictures.
fn tags(notice: &Notice) -> Vec<String> {
    let picture = match notice.event.kind {
        EventType::End | EventType::Close => "white_check_mark",
        EventType::Acknowledge => "eyes",
        _ if notice.event.after.level.get() <= 2 => "rotating_light",
        _ => "warning",
    };
    vec![picture.to_owned(), notice.event.kind.code().to_owned()]
}

/// Splits an address into that of the server and the topic.
fn split(address: &str) -> Option<(String, String)> {
    let mut url = Url::parse(address).ok()?;
    let mut segments: Vec<String> = url.path_segments()?.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let topic = segments.pop()?;
    url.set_path(&format!("{}/", segments.join("/")));
    url.set_query(None);
    url.set_fragment(None);
    Some((url.into(), topic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_topic() {
        let split = |address| split(address).map(|(server, topic)| format!("{server} {topic}"));
        assert_eq!(split("https://ntfy.sh/alerts").as_deref(), Some("https://ntfy.sh/ alerts"));
        assert_eq!(
            split("https://ntfy.example.org:8443/push/alerts/?x=1#y").as_deref(),
            Some("https://ntfy.example.org:8443/push/ alerts")
        );
        assert_eq!(split("https://ntfy.sh/"), None);
        assert_eq!(split("alerts"), None);
    }
}
