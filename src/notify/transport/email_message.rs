//! Builds mails. Texts from outside cannot add headers or parts (contract section 19.3).

use std::{
    fmt::{self, Write},
    time::{Duration, SystemTime},
};

use email_encoding::headers::{rfc2047, writer::EmailWriter};
use lettre::{
    Address, Message,
    address::AddressError,
    message::{
        Mailbox, Mailboxes, MessageBuilder, MultiPart, SinglePart,
        header::{self, Header, HeaderName, HeaderValue},
    },
};

use super::SetupError;
use crate::domain::{Timestamp, email};
use crate::notify::text::{atom, cut, one_line};

/// Longest subject in characters. Longer ones are of no use, and break on the way.
const LONGEST_SUBJECT: usize = 700;

/// Sender of mails, and domain of their ids.
#[derive(Clone, Debug)]
pub(super) struct SenderIdentity {
    from: Mailbox,
    /// Domain of message ids.
    domain: String,
}

pub(super) struct Email {
    pub id: String,
    pub to: Address,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// Id that all mails of a thread share.
    pub thread: Option<String>,
}

impl SenderIdentity {
    /// Parses `from`: an address, with or without a name before it.
    pub(super) fn new(from: &str) -> Result<Self, SetupError> {
        let bad = |reason: String| SetupError::BadSetting { setting: "mail.from", reason };
        let refused = |reason: String| bad(format!("{from:?} is no e-mail address: {reason}"));
        let Mailbox { name, email } = from.parse().map_err(|error: AddressError| refused(error.to_string()))?;
        let email = address(email.as_ref()).map_err(refused)?;
        let domain = atom(email.domain());
        Ok(Self { from: Mailbox { name, email }, domain })
    }

    pub(super) const fn address(&self) -> &Address {
        &self.from.email
    }

    /// Returns the sender with another name or address, where one is given.
    pub(super) fn of_sender(&self, name: Option<&str>, sender: Option<&str>) -> Result<Self, SetupError> {
        let email = match sender {
            Some(text) => address(text).map_err(|reason| SetupError::BadSetting {
                setting: "sender_mail",
                reason: format!("{text:?} is no e-mail address: {reason}"),
            })?,
            None => self.from.email.clone(),
        };
        // A name is only used with the address that it was given with.
        let name = name.map(one_line).or_else(|| self.from.name.clone().filter(|_| sender.is_none()));
        let domain = atom(email.domain());
        Ok(Self { from: Mailbox::new(name, email), domain })
    }

    pub(super) fn write(&self, email: Email, now: Timestamp) -> Result<Message, lettre::error::Error> {
        let id = atom(&email.id);
        let mut builder = Message::builder()
            .raw_header(from_header(&self.from))
            .to(Mailbox::new(None, email.to))
            .raw_header(subject_header(cut(&one_line(&email.subject), LONGEST_SUBJECT)))
            .date(system_time(now))
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            // Prevents replies of vacation programs.
            .raw_header(plain_header("Auto-Submitted", "auto-generated".to_owned()))
            // Prevents replies of Exchange, which does not know `Auto-Submitted`.
            .raw_header(plain_header("X-Auto-Response-Suppress", "All".to_owned()))
            .raw_header(plain_header("List-Id", format!("Argus notifications <argus.{}>", self.domain)));
        if let Some(thread) = &email.thread {
            builder = self.in_thread(builder, thread);
        }
        let Some(html) = email.html else {
            return builder.singlepart(SinglePart::plain(email.text));
        };
        // Parts that need no encoding are not changed, so the boundary must not occur in them.
        let mut boundary = format!("=_{id}");
        let mut tries = 0;
        while email.text.contains(&boundary) || html.contains(&boundary) {
            tries += 1;
            boundary = format!("=_{id}_{tries}");
        }
        let parts = MultiPart::alternative().boundary(boundary);
        builder.multipart(parts.singlepart(SinglePart::plain(email.text)).singlepart(SinglePart::html(html)))
    }

    fn in_thread(&self, builder: MessageBuilder, thread: &str) -> MessageBuilder {
        let root = format!("<{}@{}>", atom(thread), self.domain);
        builder.references(root.clone()).in_reply_to(root)
    }
}

/// Parses an address and converts its domain to ASCII (A-labels), as mail servers require it.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let ascii = email::to_ascii(text).ok_or("its domain name is not valid")?;
    ascii.parse().map_err(|error: AddressError| error.to_string())
}

fn system_time(at: Timestamp) -> SystemTime {
    let since = Duration::from_micros(u64::try_from(at.micros()).unwrap_or_default());
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Returns the header for the sender. Readers show the name as it is.
fn from_header(from: &Mailbox) -> HeaderValue {
    match from.name.as_deref().map(str::trim) {
        // Within quotes it would be text, too, but many programs decode it there.
        Some(name) if name.contains(ENCODED_WORD) => {
            let encoded = written("From: ", |writer| {
                rfc2047::encode(name, writer)?;
                writer.space();
                write!(writer, "<{}>", from.email)
            });
            HeaderValue::dangerous_new_pre_encoded(header::From::name(), from.to_string(), encoded)
        }
        _ => header::From::from(Mailboxes::from(from.clone())).display(),
    }
}

/// Returns the header for a subject of one line, which may contain text from outside.
fn subject_header(subject: String) -> HeaderValue {
    let encoded = written("Subject: ", |writer| write_text(&subject, writer));
    HeaderValue::dangerous_new_pre_encoded(header::Subject::name(), subject, encoded)
}

/// Returns a header whose value is ASCII.
fn plain_header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The beginning of an encoded word (RFC 2047).
const ENCODED_WORD: &str = "=?";

/// Returns the folded value of a header. `name` is the header's name with colon and space.
fn written(name: &str, write: impl FnOnce(&mut EmailWriter<'_>) -> fmt::Result) -> String {
    let mut encoded = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut EmailWriter::new(&mut encoded, name.len(), 0, false));
    encoded
}

/// Writes text so that readers see exactly that: words that are not ASCII, and words that look like encoded words, are
/// encoded.
fn write_text(text: &str, writer: &mut EmailWriter<'_>) -> fmt::Result {
    let mut encode = String::new();
    for word in text.split_inclusive(' ') {
        // Readers drop white space between two encoded words, so it must be within them.
        let is_within = !encode.is_empty() && word == " ";
        if is_within || !word.is_ascii() || word.contains(ENCODED_WORD) {
            encode.push_str(word);
        } else {
            write_encoded(&mut encode, writer)?;
            writer.folding().write_str(word)?;
        }
    }
    write_encoded(&mut encode, writer)
}

/// Encodes and clears `text`. Spaces at its end are not encoded: they separate the last encoded word from another word.
fn write_encoded(text: &mut String, writer: &mut EmailWriter<'_>) -> fmt::Result {
    let words = text.trim_end_matches(' ');
    rfc2047::encode(words, writer)?;
    for _ in words.len()..text.len() {
        writer.space();
    }
    text.clear();
    Ok(())
}

#[cfg(test)]
mod tests;
