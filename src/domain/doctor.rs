//! Findings about the server and what it depends on: each says what was found and how to fix it.
//!
//! `argusd doctor` and the health page show the same findings. The rules are pure; others collect the facts.

pub mod host;
pub mod network;
pub mod stored;

use serde::{Deserialize, Serialize};

pub use self::{
    host::{
        BackupFacts, DiskFacts, FileFacts, FileKind, HostFacts, LinkFacts, OldVariable, ProxyFacts, ServerState,
        dead_links, has_others,
    },
    network::{CertificateFacts, MailFacts, MailFailure, MailStep, NameFacts, NetworkFacts},
    stored::{Intake, NeverReached, Reached, StoredFacts, StoredIndex},
};
use super::Timestamp;

/// State of what was checked, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingLevel {
    Good,
    Warning,
    Bad,
}

impl FindingLevel {
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// Result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable name of the check, for programs.
    pub check: String,
    pub level: FindingLevel,
    /// Heading, a noun.
    pub title: String,
    pub found: String,
    /// Meaning of what was found, for good findings. May be empty.
    pub meaning: String,
    /// Sentence that says what to do. Empty for good findings.
    pub fix: String,
}

/// Facts that the findings follow from. What is `None` was not examined.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub now: Timestamp,
    pub stored: Option<StoredFacts>,
    pub host: Option<HostFacts>,
    pub network: Option<NetworkFacts>,
}

/// Returns the results of all checks, in a fixed order: what keeps the server from working comes first.
#[must_use]
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(host) = &facts.host {
        findings.extend(host::server(&host.server));
    }
    if let Some(stored) = &facts.stored {
        findings.extend(stored::findings(stored, facts.now));
    }
    if let Some(network) = &facts.network {
        findings.extend(network::findings(network, facts.now));
    }
    if let Some(host) = &facts.host {
        findings.extend(host::findings(host, facts.now));
    }
    findings
}

/// Returns the worst level.
#[must_use]
pub fn worst(findings: &[Finding]) -> FindingLevel {
    findings.iter().map(|finding| finding.level).max().unwrap_or(FindingLevel::Good)
}

/// Sorts findings: the worst first, otherwise in their order.
pub fn worst_first(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
}

fn good(check: &str, title: &str, found: impl Into<String>, meaning: impl Into<String>) -> Finding {
    Finding {
        check: check.to_owned(),
        level: FindingLevel::Good,
        title: title.to_owned(),
        found: found.into(),
        meaning: meaning.into(),
        fix: String::new(),
    }
}

fn problem(level: FindingLevel, check: &str, title: &str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
    let meaning = String::new();
    Finding { check: check.to_owned(), level, title: title.to_owned(), found: found.into(), meaning, fix: fix.into() }
}

fn warning(check: &str, title: &str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
    problem(FindingLevel::Warning, check, title, found, fix)
}

fn bad(check: &str, title: &str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
    problem(FindingLevel::Bad, check, title, found, fix)
}

/// Formats a size with a unit, such as "1.5 GiB".
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => {
            let tenths = u128::from(count) * 10 / u128::from(*size);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{count} bytes"),
    }
}

/// Joins names for a sentence: "a, b and 3 more".
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (count, text) in [(0, "0 bytes"), (1_536, "1.5 KiB"), (1 << 40, "1.0 TiB"), (u64::MAX, "16777215.9 TiB")] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn the_worst_come_first() {
        let mut findings = vec![
            good("a", "A", "x", ""),
            bad("b", "B", "x", "y"),
            warning("c", "C", "x", "y"),
            bad("d", "D", "x", "y"),
        ];
        assert_eq!(worst(&findings), FindingLevel::Bad);
        worst_first(&mut findings);
        let order: Vec<&str> = findings.iter().map(|finding| finding.check.as_str()).collect();
        assert_eq!(order, ["b", "d", "c", "a"]);
        assert_eq!(worst(&[]), FindingLevel::Good);
    }

    #[test]
    fn findings_for_programs_name_their_level() {
        let json = serde_json::to_value(warning("links", "Links in messages", "x", "y")).unwrap();
        assert_eq!(json["check"], "links");
        assert_eq!((json["level"].as_str(), json["fix"].as_str()), (Some("warning"), Some("y")));
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (1..=7).map(|number| number.to_string()).collect();
        assert_eq!(listed(&names), "1, 2, 3, 4, 5 and 2 more");
        assert_eq!(listed(&names[..2]), "1, 2");
    }
}
