//! Web addresses of incidents, and the base addresses that they are relative to.

use url::{Host, Url};

const SCHEMES: [&str; 4] = ["http", "https", "ftp", "ftps"];

/// Returns whether the text is a complete http, https, ftp or ftps address.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && !rest.starts_with('/')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && Url::parse(text).is_ok_and(|url| is_plausible_host(&url))
}

fn is_plausible_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            !name.is_empty() && name.len() <= 253 && !name.split('.').any(|label| label.starts_with('-'))
        }
        Some(_) => true,
        None => false,
    }
}

/// Base address of a source, parsed once for many incidents.
#[derive(Clone, Debug, Default)]
pub struct SourceBase(Option<(Url, String)>);

impl SourceBase {
    #[must_use]
    pub fn new(base_url: &str) -> Self {
        let url = Url::parse(base_url).ok().filter(|_| is_valid(base_url));
        Self(url.map(|url| {
            let origin = url[..url::Position::BeforePath].to_owned();
            (url, origin)
        }))
    }

    /// Joins `address` to the base as a browser does. `None`: the result is not a valid address, or `address` needs no
    /// base; it is shown unchanged (contract section 5.1).
    #[must_use]
    pub fn join(&self, address: &str) -> Option<String> {
        let (base, origin) = self.0.as_ref()?;
        if address.is_empty() || starts_with_web_scheme(address) {
            return None;
        }
        if is_simple_path(address) {
            return Some(format!("{origin}{address}"));
        }
        let joined = base.join(address).ok()?;
        is_valid(joined.as_str()).then(|| joined.into())
    }
}

#[must_use]
pub fn starts_with_web_scheme(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}

/// Returns whether the text is an absolute path that joining does not change.
fn is_simple_path(address: &str) -> bool {
    let mut before = 0;
    address.starts_with('/')
        && address.bytes().all(|byte| {
            let doubtful = matches!((before, byte), (b'/', b'/' | b'.'));
            before = byte;
            !doubtful && (byte.is_ascii_alphanumeric() || b"/-_.?=&#,:~+".contains(&byte))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_complete_addresses() {
        for good in [
            "https://t.example.org/1",
            "HTTP://example.org",
            "ftp://10.0.0.1/x",
            "ftps://[::1]/",
            "http://localhost:8000/?q=1#f",
            "http://user:pw@example.org/",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "",
            "x",
            "/x/1",
            "example.org",
            "http:/x",
            "http://",
            "http:///x",
            "mailto:a@b",
            "javascript://x",
            "http://a b/",
            "http://-x.org/",
            "//example.org/",
            "http://exa mple.org",
            "http://[::1/",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn joins_as_a_browser_would() {
        let base = SourceBase::new("https://nav.example.org/app/");
        let join = |address| base.join(address);
        assert_eq!(join("/x/1").as_deref(), Some("https://nav.example.org/x/1"));
        assert_eq!(join("x/1?a=b").as_deref(), Some("https://nav.example.org/app/x/1?a=b"));
        assert_eq!(join("../y").as_deref(), Some("https://nav.example.org/y"));
        assert_eq!(join("/a/../y").as_deref(), Some("https://nav.example.org/y"));
        assert_eq!(join("//other.example.org/y").as_deref(), Some("https://other.example.org/y"));
        for kept in ["", "https://other.example.org/z", "ftp://x.org/y", "mailto:a@example.org"] {
            assert_eq!(join(kept).unwrap_or_else(|| kept.to_owned()), kept);
        }
        for nowhere in ["", "nav", "/app/"] {
            assert_eq!(SourceBase::new(nowhere).join("/x/1"), None);
        }
    }

    #[test]
    fn the_short_cut_gives_what_joining_gives() {
        let base = SourceBase::new("https://nav.example.org:8443/app/?x#y");
        let (url, _) = base.0.as_ref().unwrap();
        for path in ["/", "/a/b", "/a?b=c&d=e#f", "/a:b,c~d+e/", "/a/b.html", "/a/b..c"] {
            assert_eq!(base.join(path).unwrap(), url.join(path).unwrap().as_str());
        }
    }
}
