//! The time at which an X.509 certificate expires (RFC 5280 section 4.1.2.5).

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::NaiveDateTime;

use super::Timestamp;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;

/// Returns the end of validity of a certificate in DER form. `None` if it is not one.
#[must_use]
pub fn expiry(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    // Certificates of version 1 do not name their version.
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = element(rest, tag)?.1;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, _, after) = any(validity)?;
    let (tag, text, _) = any(after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Returns the end of validity of the first certificate in a PEM file. `None` if there is none.
#[must_use]
pub fn expiry_in_pem(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    expiry(&STANDARD.decode(body).ok()?)
}

/// Returns the content of an element with this tag, and what follows it.
fn element(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = any(der)?;
    (tag == wanted).then_some((content, rest))
}

/// Returns tag and content of the first element, and what follows it.
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0_usize, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z')?;
    let full = match tag {
        // Two digits of a year from 1950 to 2049.
        UTC_TIME => {
            let year: u32 = text.get(..2)?.parse().ok()?;
            format!("{}{text}", if year < 50 { 20 } else { 19 })
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let at = NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%S").ok()?;
    Timestamp::from_datetime(at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Self-signed, made by openssl, valid in January 2020.
    const PEM: &str = "\
        -----BEGIN CERTIFICATE-----\n\
        MIIBljCCATygAwIBAgIUKjqiX/GnjDAKubXkafUyxfzJoo4wCgYIKoZIzj0EAwIw\n\
        FDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTIwMDEwMTAwMDAwMVoXDTIwMDIwMTAw\n\
        MDAwMVowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D\n\
        AQcDQgAEg2iRTe9TNzFwd7pYvc1+Ys+o7ca163XFBo/F4VGsvjs9LR0vxMnaBsih\n\
        MN39VYY/RiB0Teu/Hi2U7vvLkyuCRaNsMGowHQYDVR0OBBYEFFyvbUrqNuCXMLTg\n\
        sPw8lUiREP4oMB8GA1UdIwQYMBaAFFyvbUrqNuCXMLTgsPw8lUiREP4oMBoGA1Ud\n\
        EQQTMBGCCWxvY2FsaG9zdIcEfwAAATAMBgNVHRMBAf8EAjAAMAoGCCqGSM49BAMC\n\
        A0gAMEUCIF4uCguKzOVVZpgGZ7pHVwKHIhktb1uyVb/XEAgEfFoQAiEArYm0zI36\n\
        qEURdxAgitVE/Gh5D9iuta+1jtFzwI1lRLA=\n\
        -----END CERTIFICATE-----\n";

    #[test]
    fn reads_the_end_of_validity() {
        let expires = expiry_in_pem(PEM).unwrap();
        assert_eq!(expires.to_datetime().to_rfc3339(), "2020-02-01T00:00:01+00:00");
    }

    #[test]
    fn reads_both_forms_of_times() {
        let shown = |tag, text| time(tag, text).map(|at| at.to_datetime().to_rfc3339());
        assert_eq!(shown(UTC_TIME, "491231235959Z").as_deref(), Some("2049-12-31T23:59:59+00:00"));
        assert_eq!(shown(UTC_TIME, "500101000000Z").as_deref(), Some("1950-01-01T00:00:00+00:00"));
        assert_eq!(shown(GENERALIZED_TIME, "20501231235959Z").as_deref(), Some("2050-12-31T23:59:59+00:00"));
        assert_eq!((shown(UTC_TIME, "x"), shown(INTEGER, "491231235959Z")), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = expiry(&bytes);
            let body: String = PEM.lines().filter(|line| !line.starts_with('-')).collect();
            let mut der = STANDARD.decode(body).unwrap();
            der.truncate(bytes.len() * 4);
            let _ = expiry(&der);
            bytes.extend(der);
            let _ = expiry(&bytes);
        }
    }
}
