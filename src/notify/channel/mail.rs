//! Builds mails. Nothing that comes from outside can add a header or a part (contract section 19.3).

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    message::{
        Mailbox, MessageBuilder, MultiPart, SinglePart,
        header::{Header, HeaderName, HeaderValue},
    },
};

use super::SetupError;
use crate::{
    domain::time::Timestamp,
    notify::text::{atom, cut, one_line},
};

/// Longer ones help nobody, and break on the way.
const LONGEST_SUBJECT: usize = 700;

/// What the mails of this server have in common.
#[derive(Clone, Debug)]
pub(super) struct Letterhead {
    from: Mailbox,
    /// The right side of message ids.
    domain: String,
}

pub(super) struct Letter {
    pub id: String,
    pub to: Address,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// Mails that belong together have the same.
    pub thread: Option<String>,
}

impl Letterhead {
    /// `from` is an address, with or without a name before it.
    pub(super) fn new(from: &str) -> Result<Self, SetupError> {
        let bad = |reason: String| SetupError::BadSetting { setting: "mail.from", reason };
        let from: Mailbox = from.parse().map_err(|error| bad(format!("{from:?} is no e-mail address: {error}")))?;
        let domain = atom(from.email.domain());
        Ok(Self { from, domain })
    }

    /// With another name or address, where one is given.
    pub(super) fn of_sender(&self, name: Option<&str>, address: Option<&str>) -> Result<Self, SetupError> {
        let email = match address {
            Some(address) => address.parse().map_err(|error| SetupError::BadSetting {
                setting: "sender_mail",
                reason: format!("{address:?} is no e-mail address: {error}"),
            })?,
            None => self.from.email.clone(),
        };
        // A name belongs to the address that it was given with.
        let name = name.map(one_line).or_else(|| self.from.name.clone().filter(|_| address.is_none()));
        let domain = atom(email.domain());
        Ok(Self { from: Mailbox::new(name, email), domain })
    }

    pub(super) fn write(&self, letter: Letter, now: Timestamp) -> Result<Message, lettre::error::Error> {
        let id = atom(&letter.id);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, letter.to))
            .subject(cut(&one_line(&letter.subject), LONGEST_SUBJECT))
            .date(system_time(now))
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            .header(AutoSubmitted)
            .header(ListId(format!("Argus notifications <argus.{}>", self.domain)));
        if let Some(thread) = &letter.thread {
            builder = self.in_thread(builder, thread);
        }
        let Some(html) = letter.html else {
            return builder.singlepart(SinglePart::plain(letter.text));
        };
        // Parts that need no encoding stand as they are, so it must be nowhere in them.
        let mut boundary = format!("=_{id}");
        let mut tries = 0;
        while letter.text.contains(&boundary) || html.contains(&boundary) {
            tries += 1;
            boundary = format!("=_{id}_{tries}");
        }
        let parts = MultiPart::alternative().boundary(boundary);
        builder.multipart(parts.singlepart(SinglePart::plain(letter.text)).singlepart(SinglePart::html(html)))
    }

    fn in_thread(&self, builder: MessageBuilder, thread: &str) -> MessageBuilder {
        let root = format!("<{}@{}>", atom(thread), self.domain);
        builder.references(root.clone()).in_reply_to(root)
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    let since = Duration::from_micros(u64::try_from(at.micros()).unwrap_or_default());
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Keeps vacation programs from answering.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[derive(Clone)]
struct ListId(String);

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}
