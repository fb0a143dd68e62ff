//! A mail as its reader sees it: our headers, the text, and the text of the HTML part.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::visible::visible;
use crate::support::sinks::Mail;

/// Headers about the encoding.
const FORM: &[&str] = &["MIME-Version", "Content-Type", "Content-Transfer-Encoding"];

pub fn read(mail: &Mail) -> String {
    let (head, body) = mail.raw.split_once("\n\n").unwrap();
    let mut text = String::new();
    for line in unfolded(head).lines().filter(|line| !FORM.iter().any(|name| line.starts_with(name))) {
        writeln!(text, "{line}").unwrap();
    }
    let content_type = mail.header("Content-Type");
    let Some((_, boundary)) = content_type.split_once("boundary=") else {
        writeln!(text, "\n{}", decoded(head, body).trim_end()).unwrap();
        return text;
    };
    let mark = format!("--{}", boundary.trim_matches('"'));
    for part in body.split(mark.as_str()).skip(1).filter(|part| !part.starts_with("--")) {
        let (head, body) = part.trim_start().split_once("\n\n").unwrap();
        let content = decoded(head, body);
        if head.contains("text/html") {
            writeln!(text, "\n-- HTML part\n{}", visible(&content).text).unwrap();
        } else {
            writeln!(text, "\n-- Text part\n{}", content.trim_end()).unwrap();
        }
    }
    text
}

fn unfolded(head: &str) -> String {
    head.replace("\n ", " ").replace("\n\t", " ")
}

fn decoded(head: &str, body: &str) -> String {
    let encoding =
        unfolded(head).lines().find_map(|line| line.strip_prefix("Content-Transfer-Encoding: ").map(str::to_owned));
    match encoding.as_deref() {
        None | Some("7bit" | "8bit") => body.to_owned(),
        Some("quoted-printable") => unquoted(body),
        Some("base64") => {
            let letters: String = body.split_whitespace().collect();
            String::from_utf8(STANDARD.decode(letters).unwrap()).unwrap()
        }
        Some(other) => panic!("encoded as {other}: {body}"),
    }
}

/// Quoted-printable text, decoded.
fn unquoted(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}
