//! Channel type `email`: mails with a plain and an HTML part.

use super::{ChannelType, OwnAddress, Protocol, Template, template};
use crate::domain::{
    destination::{EMAIL, EMAIL_ADDRESS},
    setting::{Form, Setting},
};

/// Template of the titles of messages, also of other types than mails.
pub const SUBJECT: Template = template!("subject.txt");
/// Template of the subject of a mail about an incident whose mails all have the same subject.
pub const STABLE_SUBJECT: Template = template!("stable-subject.txt", "event");
pub const TEXT: Template = template!("txt");
pub const HTML: Template = template!("html");

pub static TYPE: ChannelType = ChannelType {
    key: EMAIL,
    title: "Email",
    about: "a mail with a plain and an HTML part",
    of_destination: &[Setting::new(EMAIL_ADDRESS, "Email address", Form::MailAddress, "")],
    of_channel: &[
        HOST,
        PORT,
        ENCRYPTION,
        USER,
        PASSWORD,
        SENDER_MAIL,
        SENDER_NAME,
        Setting::new("subject_prefix", "Beginning of subjects", Form::Line, "By default the server's own."),
    ],
    own_address: OwnAddress::Never,
    sent_along: &[],
    templates: &[SUBJECT, STABLE_SUBJECT, TEXT, HTML],
    protocol: Protocol::Mail,
};

/// Setting of the mail server, also for other types that send mails.
pub(super) const HOST: Setting = Setting::new("host", "Mail server", Form::Host, "By default the server's own.");
pub(super) const PORT: Setting =
    Setting::new("port", "Port", Form::Port, "By default the usual one for the encryption, or the server's own.");
pub(super) const ENCRYPTION: Setting =
    Setting::new("encryption", "Encryption", Form::OneOf(&["none", "starttls", "tls"]), "By default the server's own.");
pub(super) const USER: Setting = Setting::new(
    "user",
    "User name",
    Form::Line,
    "At the mail server. The server's own login is used only at the server's own mail server.",
);
pub(super) const PASSWORD: Setting =
    Setting::secret("password", "Password", Form::Line, "Together with the user name.");
pub(super) const SENDER_MAIL: Setting =
    Setting::new("sender_mail", "Sender's address", Form::MailAddress, "By default the server's own.");
pub(super) const SENDER_NAME: Setting = Setting::new("sender_name", "Sender's name", Form::Line, "");
