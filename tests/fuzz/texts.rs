//! Single values: times, tags, phone numbers, addresses, cookies, cursors, headers of proxies.

use std::net::SocketAddr;

use argusd::{
    domain::{
        datetime::{self, Zoned},
        email,
        exact_json::{self, Token},
        limits::{EMAIL, PHONE_NUMBER, URL},
        phone,
        tag::Tag,
        time::Timestamp,
        timeslot::TimeOfDay,
        urls,
    },
    http::{HttpSettings, Network, cookies, cursor, peer},
    service::{AsOf, Cursor, EventCursor, SortedCursor},
};
use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, Request, Uri, header},
};
use chrono_tz::Tz;
use serde_json::Value;

use crate::engine::{run, run_texts, within_memory};

const LONGEST_TIME: usize = "9999-12-31T23:59:59.999999+00:00".len();

#[test]
fn datetimes() {
    const EXAMPLES: &[&str] = &[
        "2024-07-10T10:00:00+02:00",
        "2024-07-10 10:00:00.123456-0930",
        "2024-07-10T10:00+02",
        "2024-7-1t1:2z",
        "2024-01-10",
        "2024-10-27T02:30",
        "2024-03-31T02:30",
        "2011-12-30T12:00",
        "2024-04-07T01:45:00",
        "1845-01-01T00:00:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999",
        "9999-12-31T23:59:59.999999-14:00",
        "2016-12-31 23:59:59,9999999999 +00:00",
    ];
    let zones = [
        Tz::UTC,
        Tz::Europe__Oslo,
        Tz::Pacific__Apia,
        Tz::Australia__Lord_Howe,
        Tz::Africa__Monrovia,
        Tz::Asia__Manila,
        Tz::America__New_York,
    ]
    .map(|zone| (zone, Zoned::new(zone)));
    run_texts("datetimes", EXAMPLES, |text| {
        let is_last = datetime::is_last_moment(text);
        for (zone, zoned) in &zones {
            let at = within_memory(4 << 10, || datetime::parse(text, *zone));
            if is_last {
                assert!(at.is_some_and(datetime::was_last_moment), "the last moment is not kept in {zone}: {at:?}");
            }
            let Some(at) = at else { continue };
            assert_eq!(Timestamp::from_micros(at.micros()), Some(at), "out of bounds in {zone}");
            let written = zoned.format(at);
            assert!(!written.as_str().is_empty() && written.as_str().len() <= LONGEST_TIME, "{zone}: {written}");
            assert_eq!(datetime::parse(written.as_str(), *zone), Some(at), "{zone}: {written}");
        }
    });
}

#[test]
fn times_of_day() {
    run_texts("times_of_day", &["00:00", "23:59:59.999999", "7:5", "12:30:15.1234567"], |text| {
        if let Some(time) = TimeOfDay::parse(text) {
            assert!(time <= TimeOfDay::LAST, "{time}");
            assert_eq!(TimeOfDay::parse(&time.to_string()), Some(time), "{time}");
        }
    });
}

#[test]
fn tags() {
    run_texts(
        "tags",
        &["host=router1", " host = a=b ", "a_1=", "url=https://x.org/?a=b&c", "å=b", "k=\u{a0}v"],
        |text| {
            let tag = within_memory(1_024 + 4 * text.len(), || Tag::parse(text));
            let Ok(tag) = tag else { return };
            let (key, value) = (tag.key(), tag.value());
            assert!(
                !key.is_empty() && key.bytes().all(|byte| b"abcdefghijklmnopqrstuvwxyz0123456789_".contains(&byte))
            );
            assert_eq!(value, value.trim());
            assert_eq!(tag.as_str(), format!("{key}={value}"));
            assert!(tag.as_str().len() <= text.len() && tag.to_string() == tag.as_str());
            assert_eq!(Tag::parse(tag.as_str()).as_ref(), Ok(&tag));
        },
    );
}

/// The library compiles the pattern of a country when it is first needed, and keeps it.
const PHONE_MEMORY: usize = 64 << 20;

#[test]
fn phone_numbers() {
    const EXAMPLES: &[&str] = &[
        "+47 67 67 67 67",
        "+1 (212) 555-2368",
        "+44 20 7946 0958 ext. 12",
        "+4790909090",
        "+49;ext=1",
        "+８１ 3 1234 5678",
    ];
    run_texts("phone_numbers", EXAMPLES, |text| {
        let number = within_memory(PHONE_MEMORY, || phone::normalize(text));
        let Some(number) = number else { return };
        let digits = number.strip_prefix('+').unwrap();
        // E.164 allows 15 digits; the library also knows longer German numbers.
        assert!((3..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
        assert!(number.chars().count() <= PHONE_NUMBER);
        assert_eq!(phone::normalize(&number).as_ref(), Some(&number));
    });
}

#[test]
fn email_addresses() {
    const EXAMPLES: &[&str] = &[
        "alice@example.org",
        "o'brien+noc@x-y.example.no",
        "root@localhost",
        "a@[127.0.0.1]",
        "a@[IPv6:2001:db8::1]",
        "drift@blåbær.no",
        "a@xn--blbr-roah.no",
        "a@ØL.example",
        "a@例え.jp",
        "Alice <alice@example.org>, bob@example.org",
    ];
    run_texts("email_addresses", EXAMPLES, |text| {
        let is_valid = within_memory((16 << 10) + 64 * text.len(), || email::is_valid(text));
        let ascii = within_memory((16 << 10) + 64 * text.len(), || email::to_ascii(text));
        if !is_valid {
            return;
        }
        assert!(text.chars().count() <= EMAIL);
        assert!(
            !text.contains(|c: char| c.is_control() || c.is_whitespace() || ",;<>()\"\\:".contains(c))
                || text.ends_with(']')
        );
        assert_eq!(text.matches('@').count(), 1);
        let ascii = ascii.unwrap_or_else(|| panic!("{text} cannot be given to a mail server"));
        assert!(ascii.is_ascii());
        assert_eq!(email::to_ascii(&ascii).as_ref(), Some(&ascii));
    });
}

#[test]
fn web_addresses() {
    const EXAMPLES: &[&str] = &[
        "https://t.example.org/1?a=b#c",
        "ftps://[::1]/",
        "http://user:pw@example.org:8000/",
        "/x/../y",
        "//other.example.org/y",
        "javascript://x",
        "HTTP://BLÅBÆR.no/å",
        "x?y",
    ];
    let base = urls::SourceBase::new("https://nav.example.org:8443/app/?x#y");
    run_texts("web_addresses", EXAMPLES, |text| {
        let memory = (16 << 10) + 64 * text.len();
        if within_memory(memory, || urls::is_valid(text)) {
            let scheme = text.split_once("://").unwrap().0.to_ascii_lowercase();
            assert!(["http", "https", "ftp", "ftps"].contains(&scheme.as_str()));
            assert!(!text.contains(|c: char| c.is_whitespace() || c.is_control()));
        }
        if let Some(joined) = within_memory(memory, || base.join(text)) {
            assert!(urls::is_valid(&joined), "{joined}");
            assert!(joined.len() <= 3 * text.len() + URL, "{joined}");
        }
    });
}

#[test]
fn cookies_of_requests() {
    const EXAMPLES: &[&str] = &[
        "sessionid=abc; csrftoken=x; device=d",
        "lastview=7.open%3Dtrue; a=b",
        "sessionid=\"q\";;=;a",
        " sessionid =x",
    ];
    let names = [cookies::SESSION, cookies::CSRF, cookies::DEVICE, cookies::LAST_VIEW];
    run("cookies", EXAMPLES, |input| {
        let Ok(value) = HeaderValue::from_bytes(input) else { return };
        let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
        for name in names {
            let Some(found) = within_memory(1 << 10, || cookies::get(&headers, name)) else { continue };
            assert!(!found.contains(';') && found.len() < input.len());
            // As a browser that was given it sends it.
            let set = cookies::set(name, found, 60, true).unwrap();
            let (pair, attributes) = set.to_str().unwrap().split_once("; ").unwrap();
            assert!(attributes.starts_with("Path=/; Max-Age=60; SameSite=Lax"), "{attributes}");
            let again = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())]);
            assert_eq!(cookies::get(&again, name), Some(found));
        }
    });
}

#[test]
fn cursors() {
    const EXAMPLES: &[&str] = &[
        "0000000000000000010000000000000002",
        "0100064a8fd5c5000000000000000000ff",
        "00ff23b3d1d4f8e0000000000000000001",
        "sdn.0.1768478400000000.1",
        "lap.-5.0.9223372036854775807",
        "12.1768478400000000",
    ];
    run_texts("cursors", EXAMPLES, |text| {
        let incident = within_memory(4 << 10, || cursor::parse::<Cursor>(text));
        match &incident {
            Ok(place) => assert!(cursor::write(place).eq_ignore_ascii_case(text)),
            Err(error) => {
                assert_eq!((error.status().as_u16(), error.body()["detail"].as_str()), (404, Some("Invalid cursor")));
            }
        }
        let event = cursor::parse::<EventCursor>(text);
        assert_eq!(event.is_ok(), incident.is_ok());
        if let Ok(place) = event {
            assert!(cursor::write(&place).eq_ignore_ascii_case(text));
        }
        if let Some(place) = within_memory(4 << 10, || SortedCursor::parse(text)) {
            assert_eq!(SortedCursor::parse(&place.to_string()), Some(place));
            assert!(place.to_string().len() <= 66, "{place}");
        }
        if let Ok(as_of) = text.parse::<AsOf>() {
            let again: AsOf = as_of.to_string().parse().unwrap();
            assert_eq!((again.seq, again.at), (as_of.seq, as_of.at));
        }
    });
}

#[test]
fn headers_of_proxies() {
    const EXAMPLES: &[&str] = &[
        "argus.example.org\n192.0.2.7\nhttps",
        "[::1]:80\n\"[2001:db8::7]:4711\", 10.0.0.2:80\nhttp",
        "a:99999\nunknown, 10.0.0.1\nhttps,http",
        "10.0.0.0/8\n::ffff:192.0.2.7\n",
    ];
    let settings = HttpSettings { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..HttpSettings::default() };
    run("headers_of_proxies", EXAMPLES, |input| {
        let mut request = Request::builder().uri("/api/v2/incidents/");
        let names = ["x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "host"];
        for (name, value) in names.into_iter().zip(input.split(|byte| *byte == b'\n')) {
            let Ok(value) = HeaderValue::from_bytes(value) else { return };
            request = request.header(name, value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        for peer in ["10.0.0.1", "192.0.2.1"] {
            parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
            let client = within_memory(4 << 10, || peer::client(&settings, &parts)).unwrap();
            assert!(peer.starts_with("10.") || client.to_string() == peer, "a stranger is taken for {client}");
            let origin = within_memory((4 << 10) + 16 * input.len(), || peer::origin(&settings, &parts));
            let uri: Uri = origin.parse().unwrap_or_else(|error| panic!("{origin:?}: {error}"));
            assert!(matches!(uri.scheme_str(), Some("http" | "https")), "{origin}");
            assert!(uri.host().is_some_and(|host| !host.is_empty() && !origin.contains('@')), "{origin}");
            assert!(uri.path() == "/" && uri.query().is_none(), "{origin}");
        }
        let Ok(text) = std::str::from_utf8(input) else { return };
        for line in text.lines() {
            if let Ok(network) = line.parse::<Network>() {
                let _ = network.contains("192.0.2.7".parse().unwrap());
                let _ = network.contains("2001:db8::7".parse().unwrap());
            }
        }
    });
}

#[test]
fn json_with_exact_numbers() {
    const EXAMPLES: &[&str] = &[
        r#"{"a" : [ 99999999999999999999999, -1, 1e5, 2.50], "b": {}, "c": null, "d": "\u00e6 \"[1, 2]\\"}"#,
        "[[], {}, true, \"\\ud83d\\ude00\"]",
        "18446744073709551616",
    ];
    run_texts("json_with_exact_numbers", EXAMPLES, |text| {
        let memory = (4 << 10) + 4_096 * text.len();
        let compact = within_memory(memory, || exact_json::compact(text));
        let Ok(value) = serde_json::from_str::<Value>(text) else { return };
        // Indentation grows with the depth, which the parser bounds.
        let pretty = within_memory(memory, || exact_json::pretty(text));
        if has_fraction(text) {
            // The parser may miss the nearest number by the last digit.
            assert!(serde_json::from_str::<Value>(&compact).is_ok() && serde_json::from_str::<Value>(&pretty).is_ok());
            return;
        }
        assert_eq!(serde_json::from_str::<Value>(&compact).ok().as_ref(), Some(&value), "{compact}");
        assert_eq!(serde_json::from_str::<Value>(&pretty).ok().as_ref(), Some(&value), "{pretty}");
        assert_eq!(exact_json::compact(&compact), compact);
        assert_eq!(exact_json::compact(&pretty), compact);
        // A parsed value says -0.0.
        if !exact_json::has_lost_digits(&value) && !text.contains("-0") {
            assert_eq!(compact, value.to_string());
        }
    });
}

/// Whether a number of valid JSON is none of the integers that keep their digits.
fn has_fraction(json: &str) -> bool {
    exact_json::tokens(json).any(|token| matches!(token, Token::Number(number) if !exact_json::is_integer(number)))
}
