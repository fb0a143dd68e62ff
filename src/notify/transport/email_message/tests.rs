//! Tests that mail programs read headers as they were written.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;

/// Decodes a header as mail programs do: encoded words are decoded wherever they are, and white space between two of
/// them is dropped.
fn read(folded: &str) -> String {
    let line = folded.replace("\r\n", "");
    let mut out = String::new();
    let (mut rest, mut gap) = (line.as_str(), None);
    while let Some((before, after)) = rest.split_once("=?") {
        let word = after.split_once("?b?").and_then(|(charset, after)| {
            let (text, after) = after.split_once("?=").filter(|_| charset == "utf-8")?;
            Some((String::from_utf8(STANDARD.decode(text).ok()?).ok()?, after))
        });
        let is_between = gap.is_some() && before.chars().all(|c| c == ' ');
        if !is_between {
            out.push_str(before);
        }
        // A text that looks like an encoded word and was not encoded would be decoded to something else.
        let (text, after) = word.unwrap_or_else(|| panic!("not encoded: {line}"));
        out.push_str(&text);
        (rest, gap) = (after, Some(()));
    }
    out.push_str(rest);
    out
}

fn subject(text: &str) -> String {
    written("Subject: ", |writer| write_text(text, writer))
}

#[test]
fn what_looks_like_an_encoded_word_is_encoded() {
    assert_eq!(subject("All is well"), "All is well");
    assert_eq!(subject("=?utf-8?q?All_is_fine?="), "=?utf-8?b?PT91dGYtOD9xP0FsbF9pc19maW5lPz0=?=");
    for text in [
        "=?utf-8?q?All_is_fine?=",
        "disk =?utf-8?q?full?= on web1",
        "x=?utf-8?q?All_is_fine?=y",
        "=?utf-8?b?QWxs?= =?utf-8?b?QWxs?=",
        "æ  ø",
        "æ a ø",
        "a  b",
        "=?",
        "å =? b",
    ] {
        assert_eq!(read(&subject(text)), text);
    }
}

#[test]
fn names_that_look_like_encoded_words_are_text() {
    let name = "=?utf-8?q?All_is_fine?= and <b> \"c\"";
    let mailbox = Mailbox::new(Some(name.to_owned()), "noc@example.org".parse().unwrap());
    let shown = from_header(&mailbox);
    let mut headers = header::Headers::new();
    headers.insert_raw(shown);
    let line = headers.to_string();
    let (shown, address) = line.trim_end().strip_prefix("From: ").unwrap().rsplit_once(" <").unwrap();
    assert_eq!((read(shown).as_str(), address), (name, "noc@example.org>"));
}

#[test]
fn senders_are_named_in_ascii() {
    let head = SenderIdentity::new("Vakt <vakt@blåbær.no>").unwrap();
    assert_eq!((head.from.email.as_ref(), head.domain.as_str()), ("vakt@xn--blbr-roah.no", "xn--blbr-roah.no"));
    let head = head.of_sender(Some("Drift"), Some("drift@exämple.org")).unwrap();
    assert_eq!(head.from.email.as_ref() as &str, "drift@xn--exmple-cua.org");
    assert!(SenderIdentity::new("vakt@bl\u{202e}.no").is_err());
}

fn words() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("=?".to_owned()),
        Just("?=".to_owned()),
        Just("=?utf-8?q?x?=".to_owned()),
        Just("=?utf-8?b?".to_owned()),
        Just("=?iso-8859-1?Q?=E6?=".to_owned()),
        Just(" ".to_owned()),
        Just("   ".to_owned()),
        Just("x".repeat(90)),
        "[ -~]{0,8}",
        "[æøå漢😀 ]{0,30}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().trim().to_owned())
}

proptest! {
    #[test]
    fn readers_see_what_was_written(text in words()) {
        let written = subject(&text);
        prop_assert!(written.is_ascii());
        prop_assert!(written.split("\r\n").skip(1).all(|line| line.starts_with(' ')), "{written:?}");
        prop_assert_eq!(read(&written), text, "{:?}", written);
    }
}
