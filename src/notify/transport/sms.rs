//! Medium `sms`: a mail gateway, or an HTTP gateway (contract section 19.4).

use std::{str::FromStr, sync::Arc};

use futures_util::future::BoxFuture;
use lettre::Address;
use minijinja::context;
use reqwest::{
    Method,
    header::{self, HeaderName},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    AttemptOutcome, SetupError, Transcript, Transport,
    email_message::{self, Email},
    http::{Http, HttpRequest},
    smtp_pool::{SmtpPools, text},
    unusable,
};
use crate::clock::Clock;
use crate::domain::{channel, channel_types::sms::TEXT, limits};
use crate::notify::{
    HttpGateway, Outgoing, SmsSettings,
    template::{Inline, Templates},
    text::{TextLimit, atom, one_line},
    view::MessageView,
};

const NUMBER: &str = "{number}";

pub(super) struct Sms {
    /// Gateway of the server, if it has one.
    pub gateway: Option<Arc<Gateway>>,
    pub smtp_pools: Arc<SmtpPools>,
    pub http: Arc<Http>,
    pub templates: Arc<Templates>,
    pub time_zone: chrono_tz::Tz,
    pub clock: Arc<dyn Clock>,
}

pub(super) enum Gateway {
    /// The number is in the subject.
    Mail(Address),
    /// The number is in the address.
    MailTo(String),
    Http(Box<Template>),
}

/// An HTTP request whose values are templates.
pub(super) struct Template {
    method: Method,
    headers: Vec<HeaderName>,
    /// `url.url`, `body.…`, and the value of each header under its name.
    texts: Inline,
    body: &'static str,
    secret: SecretString,
}

impl Gateway {
    /// Creates a gateway. `None`: sending text messages is off.
    pub(super) fn new(settings: &SmsSettings) -> Result<Option<Self>, SetupError> {
        match settings {
            SmsSettings::Off => Ok(None),
            SmsSettings::MailGateway(address) => {
                let setting = "sms.gateway_address";
                email_message::address(address).map(|address| Some(Self::Mail(address))).map_err(|reason| {
                    SetupError::BadSetting { setting, reason: format!("{address:?} is no e-mail address: {reason}") }
                })
            }
            SmsSettings::MailTemplate(template) => {
                let sample = template.replace(NUMBER, "+4712345678");
                if !template.contains(NUMBER) || email_message::address(&sample).is_err() {
                    let reason = format!("{template:?} is no e-mail address with {NUMBER} in it");
                    return Err(SetupError::BadSetting { setting: "sms.address_template", reason });
                }
                Ok(Some(Self::MailTo(template.clone())))
            }
            SmsSettings::Http(gateway) => Ok(Some(Self::Http(Box::new(Template::new(gateway)?)))),
        }
    }
}

impl Transport for Sms {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        Box::pin(async move {
            let number = message.setting("phone_number");
            if !is_e164(number) {
                return AttemptOutcome::fail("The destination's phone number is not valid.".to_owned());
            }
            let view = MessageView::local(&message.content, self.time_zone);
            let text = self.templates.render_within(TEXT, &view, TextLimit::Characters(limits::SMS_TEXT));
            let text = text.trim_end().to_owned();
            let gateway = match self.gateway(message.own_channel()) {
                Ok(Some(gateway)) => gateway,
                Ok(None) => return AttemptOutcome::fail("The medium \"sms\" is not set up on this server.".to_owned()),
                Err(error) => return unusable(&error),
            };
            match gateway.as_ref() {
                Gateway::Mail(address) => {
                    self.by_mail(message, address.clone(), format!("sms {number}"), text, transcript).await
                }
                Gateway::MailTo(template) => match email_message::address(&template.replace(NUMBER, number)) {
                    Ok(address) => self.by_mail(message, address, String::new(), text, transcript).await,
                    Err(reason) => {
                        AttemptOutcome::fail(format!("The gateway's address for this number is not valid: {reason}."))
                    }
                },
                Gateway::Http(template) => match template.fill_in(number, &text, &message.id) {
                    Ok(request) => self.http.send(request, transcript).await,
                    Err(reason) => {
                        AttemptOutcome::retry(format!("The request to the gateway cannot be written: {reason}."))
                    }
                },
            }
        })
    }
}

impl Sms {
    /// Returns the gateway of the channel, or else that of the server.
    fn gateway(&self, channel: Option<&channel::Channel>) -> Result<Option<Arc<Gateway>>, SetupError> {
        let own = channel.and_then(|it| it.config.as_ref()).map(of_channel).unwrap_or_default();
        Ok(Gateway::new(&own)?.map(Arc::new).or_else(|| self.gateway.clone()))
    }

    async fn by_mail(
        &self,
        message: &Outgoing,
        to: Address,
        subject: String,
        text: String,
        transcript: &mut Transcript,
    ) -> AttemptOutcome {
        let smtp_pool = match self.smtp_pools.of(message.own_channel()) {
            Ok(smtp_pool) => smtp_pool,
            Err(error) => return unusable(&error),
        };
        let email = Email { id: message.id.clone(), to, subject, text, html: None, thread: None };
        match smtp_pool.sender.write(email, self.clock.now()) {
            Ok(mail) => smtp_pool.smtp.submit(&mail, transcript).await,
            Err(error) => AttemptOutcome::fail(format!("The mail to the gateway cannot be written: {error}.")),
        }
    }
}

/// Returns the gateway settings of a channel. `Off`: it has no gateway of its own.
fn of_channel(config: &Map<String, Value>) -> SmsSettings {
    if let Some(address) = text(config, "gateway_address") {
        return SmsSettings::MailGateway(address.to_owned());
    }
    if let Some(template) = text(config, "address_template") {
        return SmsSettings::MailTemplate(template.to_owned());
    }
    let Some(url) = text(config, "url") else { return SmsSettings::Off };
    let headers = config.get("headers").and_then(Value::as_object).into_iter().flatten();
    SmsSettings::Http(HttpGateway {
        method: text(config, "method").unwrap_or("POST").to_owned(),
        url: url.to_owned(),
        headers: headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
        body: text(config, "body").unwrap_or_default().to_owned(),
        secret: text(config, "secret").map(SecretString::from),
    })
}

impl Template {
    fn new(gateway: &HttpGateway) -> Result<Self, SetupError> {
        let bad = |reason: String| SetupError::BadSetting { setting: "sms.http", reason };
        let method = Method::from_str(&gateway.method.to_ascii_uppercase())
            .map_err(|_| bad(format!("{:?} is no method", gateway.method)))?;
        let mut headers = Vec::new();
        let mut body = "body.txt";
        let mut texts = vec![("url.url".to_owned(), gateway.url.clone())];
        for (name, value) in &gateway.headers {
            let header = HeaderName::from_str(name).map_err(|_| bad(format!("{name:?} is no name of a header")))?;
            if header == header::CONTENT_TYPE {
                body = body_name(value);
            }
            texts.push((header.to_string(), value.clone()));
            headers.push(header);
        }
        texts.push((body.to_owned(), gateway.body.clone()));
        let texts = Inline::new("sms.http", texts)?;
        let template = Self { method, headers, texts, body, secret: gateway.secret.clone().unwrap_or_default() };
        let sample = template.fill_in("+4712345678", "text", "id").map_err(bad)?;
        if !sample.url.starts_with("https://") && !sample.url.starts_with("http://") {
            return Err(bad("url is neither an http nor an https address".to_owned()));
        }
        Ok(template)
    }

    fn fill_in(&self, number: &str, text: &str, id: &str) -> Result<HttpRequest, String> {
        let digits = number.trim_start_matches('+');
        let values = context! { number, digits, text, id => atom(id), secret => self.secret.expose_secret() };
        let mut headers = Vec::new();
        for name in &self.headers {
            headers.push((name.clone(), one_line(&self.texts.render(name.as_str(), &values)?)));
        }
        Ok(HttpRequest {
            method: self.method.clone(),
            url: self.texts.render("url.url", &values)?,
            headers,
            body: self.texts.render(self.body, &values)?.into_bytes(),
        })
    }
}

/// Returns the name of the body's template, which decides how values are escaped: quoted for JSON, percent-encoded for
/// a form, otherwise unchanged.
fn body_name(content_type: &str) -> &'static str {
    if content_type.contains("json") {
        "body.json"
    } else if content_type.contains("x-www-form-urlencoded") {
        "body.url"
    } else {
        "body.txt"
    }
}

fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (6..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(content_type: &str, url: &str, body: &str) -> HttpRequest {
        let gateway = HttpGateway {
            method: "post".to_owned(),
            url: url.to_owned(),
            headers: vec![
                ("Content-Type".to_owned(), content_type.to_owned()),
                ("X-Key".to_owned(), "{{ secret }}".to_owned()),
            ],
            body: body.to_owned(),
            secret: Some("s3cret".into()),
        };
        Template::new(&gateway).unwrap().fill_in("+4767676767", "it's \"down\" & out\n100%", "m/1").unwrap()
    }

    #[test]
    fn values_are_written_as_their_place_asks() {
        let json =
            filled("application/json", "https://sms.example.org/x", r#"{"to": {{ number }}, "text": {{ text }}}"#);
        let body: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
        assert_eq!(body["to"], "+4767676767");
        assert_eq!(body["text"], "it's \"down\" & out\n100%");
        assert!(json.headers.iter().any(|(name, value)| name == "x-key" && value == "s3cret"));

        let form = filled(
            "application/x-www-form-urlencoded",
            "https://sms.example.org/{{ id }}",
            "to={{ digits }}&t={{ text }}",
        );
        assert_eq!(form.url, "https://sms.example.org/m-1");
        assert_eq!(form.body, b"to=4767676767&t=it%27s%20%22down%22%20%26%20out%0A100%25");

        let query = filled("text/plain", "https://sms.example.org/?to={{ number }}", "{{ text }}");
        assert_eq!(query.url, "https://sms.example.org/?to=%2B4767676767");
        assert_eq!(query.body, b"it's \"down\" & out\n100%");
    }

    #[test]
    fn a_bad_gateway_is_refused_at_the_start() {
        let gateway = |url: &str, body: &str| HttpGateway {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: body.to_owned(),
            secret: None,
        };
        assert!(Template::new(&gateway("ftp://x", "")).is_err());
        assert!(Template::new(&gateway("https://x", "{{ text")).is_err());
        assert!(Template::new(&gateway("https://x", "{{ texxt }}")).is_err());
        for bad in ["gateway", "sms@", "{number}"] {
            assert!(Gateway::new(&SmsSettings::MailTemplate(bad.to_owned())).is_err(), "{bad}");
            assert!(Gateway::new(&SmsSettings::MailGateway(bad.to_owned())).is_err(), "{bad}");
        }
        assert!(matches!(Gateway::new(&SmsSettings::Off), Ok(None)));
    }

    #[test]
    fn numbers_are_e164() {
        assert!(is_e164("+4767676767"));
        for bad in ["", "+", "4767676767", "+47 67", "+47\r\nX", "+1234567890123456"] {
            assert!(!is_e164(bad), "{bad}");
        }
    }
}
