//! Channel type `sms`: text messages, through a mail gateway or an HTTP gateway.

use super::{
    ChannelType, OwnAddress, Protocol, Template,
    email::{ENCRYPTION, HOST, PASSWORD, PORT, SENDER_MAIL, SENDER_NAME, USER},
    template,
};
use crate::domain::{
    destination::{PHONE_NUMBER, SMS},
    setting::{Form, Setting},
};

pub const TEXT: Template = template!("sms.txt");

pub static TYPE: ChannelType = ChannelType {
    key: SMS,
    title: "SMS",
    about: "the event's description, else the incident's, at most 480 characters",
    of_destination: &[Setting::new(
        PHONE_NUMBER,
        "Phone number",
        Form::Phone,
        "The phone number is validated and the country code needs to be given.",
    )],
    of_channel: &[
        Setting::new("gateway_address", "Mail gateway", Form::MailAddress, "It finds the number in the subject."),
        Setting::new(
            "address_template",
            "Mail gateway for each number",
            Form::AddressTemplate,
            "An e-mail address with {number} in it.",
        ),
        Setting::secret(
            "url",
            "HTTP gateway",
            Form::UrlTemplate,
            "A template over number, digits, text, id and secret.",
        ),
        Setting::new("method", "Method", Form::OneOf(&["POST", "PUT", "GET"]), "Of requests to the HTTP gateway."),
        Setting::secret(
            "headers",
            "Headers",
            Form::Headers,
            "Of requests to the HTTP gateway; their values are templates.",
        ),
        Setting::secret("body", "Body", Form::Text, "Of requests to the HTTP gateway; a template."),
        Setting::secret("secret", "Secret", Form::Line, "What {{ secret }} becomes in the templates."),
        HOST,
        PORT,
        ENCRYPTION,
        USER,
        PASSWORD,
        SENDER_MAIL,
        SENDER_NAME,
    ],
    own_address: OwnAddress::Never,
    sent_along: &[],
    templates: &[TEXT],
    protocol: Protocol::Sms,
};
