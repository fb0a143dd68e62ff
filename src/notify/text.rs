//! Cleans texts for their medium: one line, limited length, no control characters.

/// Returns the text on one line, without control characters, with white space combined, cut to `most` characters.
pub(super) fn clean(text: &str, most: usize) -> String {
    let mut line = String::new();
    // The rest would be cut off anyway.
    for word in text.split(is_gap).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !turns_direction(*c)));
        if line.len() > most.saturating_mul(4) {
            break;
        }
    }
    cut(&line, most)
}

/// Replaces each line break and control character by a space.
pub(super) fn one_line(text: &str) -> String {
    let line = text.replace("\r\n", " ");
    line.chars().filter(|c| !turns_direction(*c)).map(|c| if is_control(c) { ' ' } else { c }).collect()
}

/// Converts line breaks to `\n`, and removes all control characters but these and tabs.
pub(super) fn printable(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    lines.chars().filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || turns_direction(*c))).collect()
}

/// Cuts a text to `most` characters. An ellipsis marks that it was longer.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Cuts a text to `most` bytes. An ellipsis marks that it was longer.
pub(super) fn cut_bytes(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// Longest permitted text, in the unit of its medium.
#[derive(Clone, Copy, Debug)]
pub(super) enum TextLimit {
    Characters(usize),
    Bytes(usize),
    /// Characters of Slack's markup.
    SlackMarkup(usize),
}

impl TextLimit {
    pub(super) fn holds(self, text: &str) -> bool {
        match self {
            Self::Characters(most) | Self::SlackMarkup(most) => text.chars().nth(most).is_none(),
            Self::Bytes(most) => text.len() <= most,
        }
    }

    /// Cuts a text that is too long. An ellipsis marks that it was longer.
    pub(super) fn cut(self, text: &str) -> String {
        match self {
            Self::Characters(most) => cut(text, most),
            Self::Bytes(most) => cut_bytes(text, most),
            Self::SlackMarkup(most) => cut_markup(text, most),
        }
    }
}

/// Cuts Slack markup to `most` characters, without an incomplete link or entity.
fn cut_markup(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most.saturating_sub(1)).filter(|_| text.chars().nth(most).is_some())
    else {
        return text.to_owned();
    };
    let mut kept = text.get(..end).unwrap_or_default();
    for (begin, end) in [('<', '>'), ('&', ';')] {
        if let Some((before, open)) = kept.rsplit_once(begin)
            && !open.contains(end)
        {
            kept = before;
        }
    }
    format!("{}…", kept.trim_end())
}

/// Replaces all characters but letters, digits, `.`, `-` and `_`, for places where only these are safe.
pub(super) fn atom(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    text.chars().take(120).map(safe).collect::<String>().trim_matches('.').replace("..", ".-")
}

fn is_gap(c: char) -> bool {
    is_control(c) || c.is_whitespace()
}

fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Returns whether a character changes the direction of the text after it, so that the text seems to say something
/// else. Scripts that are written from right to left need none of these.
const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cuts_at_characters() {
        assert_eq!(cut("æøå", 3), "æøå");
        assert_eq!(cut("æøåx", 3), "æø…");
        assert_eq!(cut_bytes("æøå", 6), "æøå");
        assert_eq!(cut_bytes("æøåx", 6), "æ…");
        assert_eq!(clean(" 250 OK\r\n\0 go \u{1b}[31m", 100), "250 OK go [31m");
    }

    #[test]
    fn texts_read_in_the_order_they_are_written() {
        let turned = "a\u{202e}gpj.exe\u{2066}b\u{2069}\u{200f}";
        assert_eq!([one_line(turned), printable(turned), clean(turned, 100)], ["agpj.exeb"; 3]);
        assert_eq!(one_line("שלום عالم"), "שלום عالم");
    }

    #[test]
    fn markup_is_cut_before_what_would_not_end() {
        let room = TextLimit::SlackMarkup(10);
        assert_eq!(room.cut("ab <http://x|y> c"), "ab…");
        assert_eq!(room.cut("abcdef&amp;g"), "abcdef…");
        assert_eq!(room.cut("abc&amp;defghi"), "abc&amp;d…");
        assert_eq!(room.cut("ab <x|y> cdefg"), "ab <x|y>…");
        assert_eq!(room.cut("ab <x&amp;y|z>"), "ab…");
    }

    proptest! {
        #[test]
        fn cut_markup_is_complete(pieces in proptest::collection::vec("(&amp;|&lt;|<http://x/&amp;\\|a&gt;>|[a-zæ ]{1,5})", 0..30), most in 1_usize..60) {
            let text = pieces.concat();
            let kept = TextLimit::SlackMarkup(most).cut(&text);
            prop_assert!(kept.chars().count() <= most);
            let rest = kept.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            prop_assert!(!rest.contains('&'), "{kept}");
            prop_assert!(rest.rsplit_once('<').is_none_or(|(_, open)| open.contains('>')), "{kept}");
        }

        #[test]
        fn everything_is_bounded_and_clean(text in "(?s).{0,300}", most in 1_usize..40) {
            prop_assert!(cut(&text, most).chars().count() <= most);
            prop_assert!(cut_bytes(&text, most + 3).len() <= most + 3);
            for room in [TextLimit::Characters(most), TextLimit::Bytes(most + 3), TextLimit::SlackMarkup(most)] {
                let kept = if room.holds(&text) { text.clone() } else { room.cut(&text) };
                prop_assert!(room.holds(&kept), "{room:?} {kept}");
            }
            prop_assert!(!one_line(&text).contains(is_control));
            prop_assert!(!clean(&text, most).contains(is_control));
            prop_assert!(printable(&text).chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
            prop_assert!(atom(&text).bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)));
        }
    }
}
