//! E-mail addresses: what looks like one that a mail server would take.

use std::net::IpAddr;

use super::limits::EMAIL;

const LOCAL_BYTES: usize = 64;
const LABEL_BYTES: usize = 63;

/// `local@domain`: the local part of letters, digits and the usual signs, with dots between; the domain a name with at
/// least one dot, `localhost`, or an address in brackets. Nothing that could end a header line, or begin another
/// address, passes.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.chars().count() <= EMAIL && is_local_part(local) && is_domain(domain)
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
    domain.split('.').all(is_label) && last.chars().count() >= 2 && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= LABEL_BYTES
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

    proptest! {
        #[test]
        fn nothing_valid_breaks_a_header(text in "[a-z@.\\[\\]<>,;:\"\\\\ \r\n\t-]{0,30}") {
            if is_valid(&text) {
                prop_assert!(!text.contains(|c: char| c.is_whitespace() || "<>,;\"\\".contains(c)));
            }
        }
    }
}
