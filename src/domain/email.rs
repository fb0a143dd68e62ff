//! E-mail addresses: which are accepted, and the form in which mail servers expect them.

use std::{borrow::Cow, net::IpAddr};

use super::limits::EMAIL;

const LOCAL_BYTES: usize = 64;
const LABEL_BYTES: usize = 63;

/// Returns whether the text is an e-mail address that a mail server would accept: `local@domain`. The local part has
/// letters, digits and the usual signs, with dots between; the domain is a name with at least one dot, `localhost`, or
/// an address in brackets. Text that could end a header line, or begin another address, is refused.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.chars().count() <= EMAIL && is_local_part(local) && is_domain(domain)
}

/// Returns the address with its domain in ASCII (A-labels, `xn--…`), as mail servers expect it in commands and headers.
/// The part before the `@` does not change. `None`: the domain cannot be written in ASCII.
#[must_use]
pub fn to_ascii(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    Some(format!("{local}@{}", ascii_domain(domain)?))
}

/// Returns the domain or host name in ASCII (A-labels). A name in ASCII does not change. `None`: not possible.
#[must_use]
pub fn ascii_domain(domain: &str) -> Option<Cow<'_, str>> {
    if domain.is_ascii() {
        return Some(domain.into());
    }
    idna::domain_to_ascii_strict(domain).ok().map(Cow::Owned)
}

fn is_local_part(local: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{}|~-".contains(&byte);
    local.len() <= LOCAL_BYTES && local.split('.').all(|word| !word.is_empty() && word.bytes().all(is_sign))
}

fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return literal.strip_prefix("IPv6:").unwrap_or(literal).parse::<IpAddr>().is_ok();
    }
    if domain.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let Some((_, last)) = domain.rsplit_once('.') else { return false };
    // The length of a label is limited in its ASCII form.
    domain.split('.').all(is_label)
        && last.chars().count() >= 2
        && !last.bytes().all(|byte| byte.is_ascii_digit())
        && ascii_domain(domain).is_some_and(|ascii| ascii.split('.').all(|label| label.len() <= LABEL_BYTES))
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c == '-' || c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn knows_addresses() {
        for good in [
            "alice@example.org",
            "Alice.B+noc@Example.ORG",
            "o'brien@x-y.example.no",
            "root@localhost",
            "a@[127.0.0.1]",
            "a@[IPv6:::1]",
            "drift@blåbær.no",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "",
            "alice",
            "@example.org",
            "alice@",
            "alice@example",
            "alice@example.",
            "alice@.org",
            "alice@-x.org",
            "alice@x-.org",
            "alice@127.0.0.1",
            "alice@example.c",
            "a b@example.org",
            ".a@example.org",
            "a..b@example.org",
            "a@b@example.org",
            "\"a\"@example.org",
            "a@example.org\r\nBcc: b@example.org",
            "a@[x]",
            "a,b@example.org",
            "Alice <alice@example.org>",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(!is_valid(&format!("a@{}.org", "x.".repeat(130))));
    }

    #[test]
    fn domains_are_given_to_servers_in_ascii() {
        for (typed, given) in [
            ("user@exämple.org", "user@xn--exmple-cua.org"),
            ("User@EXÄMPLE.Org", "User@xn--exmple-cua.org"),
            ("drift@blåbær.no", "drift@xn--blbr-roah.no"),
            ("a@例え.テスト", "a@xn--r8jz45g.xn--zckzah"),
            ("jørn@example.org", "jørn@example.org"),
            ("User@Example.ORG", "User@Example.ORG"),
            ("user@xn--exmple-cua.org", "user@xn--exmple-cua.org"),
            ("a@[127.0.0.1]", "a@[127.0.0.1]"),
        ] {
            assert_eq!(to_ascii(typed).as_deref(), Some(given));
        }
        assert_eq!(to_ascii("nobody"), None);
        // Less than 63 bytes in UTF-8 and more as an A-label, and the reverse.
        assert!(!is_valid("a@ѳôҩѧđрѕӓãśшćэтփţȗԡыҁԥѓȅȶѱ.org"));
        assert!(is_valid(&format!("a@{}.org", "ä".repeat(40))));
    }

    proptest! {
        #[test]
        fn what_is_valid_can_be_given_to_a_server(domain in "[a-zæøå日本ß.-]{1,30}") {
            let address = format!("a@{domain}.org");
            if is_valid(&address) {
                let given = to_ascii(&address).unwrap();
                prop_assert!(given.is_ascii() && is_valid(&given), "{given}");
                prop_assert_eq!(to_ascii(&given).unwrap(), given);
            }
        }

        #[test]
        fn nothing_valid_breaks_a_header(text in "[a-z@.\\[\\]<>,;:\"\\\\ \r\n\t-]{0,30}") {
            if is_valid(&text) {
                prop_assert!(!text.contains(|c: char| c.is_whitespace() || "<>,;\"\\".contains(c)));
            }
        }
    }
}
