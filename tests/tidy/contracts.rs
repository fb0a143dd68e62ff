//! Checks of the contracts in `docs/contract`: each section that a comment cites exists.

use std::{collections::BTreeSet, fs};

use super::{root, rust_files};

/// How comments name a contract before the word "section", and its document. What fits first counts.
const CONTRACTS: &[(&str, &str)] = &[
    ("contact API contract", "icinga"),
    ("pages contract", "pages"),
    ("plug-in contract", "plugins"),
    ("contract", "argus"),
];

#[test]
fn sections_that_are_cited_exist() {
    let sections: BTreeSet<(&str, String)> = CONTRACTS
        .iter()
        .flat_map(|(_, document)| sections_of(document).into_iter().map(|it| (*document, it)))
        .collect();
    let mut cited = 0;
    let mut missing = Vec::new();
    for (path, text) in rust_files() {
        for citation in comments_of(&text).iter().flat_map(|comment| citations_in(comment)) {
            cited += 1;
            if !sections.contains(&citation) {
                missing.push(format!("{}: {} has no section {}", path.display(), citation.0, citation.1));
            }
        }
    }
    assert!(cited > 100, "only {cited} citations were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The numbers of a document's headings.
fn sections_of(document: &str) -> Vec<String> {
    let path = root().join("docs/contract").join(document).with_extension("md");
    let text = fs::read_to_string(path).unwrap();
    let headings = text.lines().filter_map(|line| line.strip_prefix("##"));
    let numbers = headings.filter_map(|line| line.trim_start_matches('#').split_whitespace().next());
    numbers.map(|number| number.trim_end_matches('.').to_owned()).collect()
}

/// Blocks of comment lines, each as one line.
fn comments_of(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.trim_start().strip_prefix("//") {
            Some(comment) => {
                let block = blocks.last_mut().unwrap();
                block.push(' ');
                block.push_str(comment.trim_start_matches(['/', '!']).trim());
            }
            None => blocks.push(String::new()),
        }
    }
    blocks
}

/// Documents with the numbers of the sections that are cited: "contract sections 3, 14 to 16 and 18".
fn citations_in(comment: &str) -> Vec<(&'static str, String)> {
    let mut citations = Vec::new();
    for (at, word) in comment.match_indices(" section") {
        let Some((_, document)) = CONTRACTS.iter().find(|(name, _)| comment[..at].ends_with(name)) else { continue };
        for word in comment[at + word.len()..].trim_start_matches('s').split_whitespace() {
            let number = word.trim_end_matches(|it: char| !it.is_ascii_digit());
            if number.starts_with(|it: char| it.is_ascii_digit()) {
                citations.push((*document, number.to_owned()));
            } else if !["and", "to", "or"].contains(&word) {
                break;
            }
            if word.contains(')') || word.ends_with(['.', ';', ':']) {
                break;
            }
        }
    }
    citations
}

#[test]
fn citations_are_seen() {
    let comments = comments_of(
        "/// As (contract\n    /// sections 3, 14.2 to 16 and 18), and 5.\nfn x() {}\n// Contact: contact API contract section 7.5.",
    );
    let citations: Vec<_> = comments.iter().flat_map(|comment| citations_in(comment)).collect();
    let expected = [("argus", "3"), ("argus", "14.2"), ("argus", "16"), ("argus", "18"), ("icinga", "7.5")];
    assert_eq!(citations, expected.map(|(document, number)| (document, number.to_owned())));
}
