//! Counts tags in the text index, reading a limited number of terms.

use rustc_hash::FxHashMap;
use tantivy::SegmentReader;

use super::text_index::{IndexError, TextSearcher};

/// Number of terms that are read for one query, divided among the segments of the index.
const TERMS: usize = 40_000;
/// Minimum number of terms for each segment.
const TERMS_PER_SEGMENT: usize = 500;
/// Number of values of a key that are read; the count of a key with more is estimated.
const SAMPLE: usize = 64;

/// Approximate number of incidents with a tag, or of tags with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    /// Whether there were more terms than were read.
    pub(super) estimated: bool,
}

impl Tally {
    pub(super) fn add(&mut self, count: u64, estimated: bool) {
        self.count = self.count.saturating_add(count);
        self.estimated |= estimated;
    }
}

impl TextSearcher {
    /// Finds the keys that begin with `beginning`, with the number of tags that have them.
    pub(super) fn tag_keys(&self, beginning: &str, into: &mut FxHashMap<String, Tally>) -> Result<(), IndexError> {
        let segments = self.searcher.segment_readers();
        for segment in segments {
            self.keys_of(segment, beginning, budget(segments.len()), into)?;
        }
        Ok(())
    }

    /// Finds the tags of a key whose value begins with `beginning`. If there are too many, the first in alphabetical
    /// order.
    pub(super) fn tag_values(
        &self,
        key: &str,
        beginning: &str,
        into: &mut FxHashMap<String, Tally>,
    ) -> Result<(), IndexError> {
        let segments = self.searcher.segment_readers();
        let budget = budget(segments.len());
        let prefix = format!("{key}={beginning}");
        let mut last_of_all: Option<String> = None;
        for segment in segments {
            let inverted = segment.inverted_index(self.fields.tags)?;
            let mut terms = inverted.terms().range().ge(&prefix).into_stream()?;
            let mut left = budget;
            while terms.advance() && terms.key().starts_with(prefix.as_bytes()) {
                let Ok(tag) = std::str::from_utf8(terms.key()) else { continue };
                if left == 0 {
                    // Other segments may be read further, so the counts of later tags would be too low.
                    last_of_all = Some(match last_of_all {
                        Some(last) if last.as_str() < tag => last,
                        _ => tag.to_owned(),
                    });
                    break;
                }
                left -= 1;
                let count = u64::from(terms.value().doc_freq);
                match into.get_mut(tag) {
                    Some(tally) => tally.add(count, false),
                    None => {
                        into.insert(tag.to_owned(), Tally { count, estimated: false });
                    }
                }
            }
        }
        if let Some(last) = last_of_all {
            into.retain(|tag, _| *tag < last);
        }
        Ok(())
    }

    fn keys_of(
        &self,
        segment: &SegmentReader,
        beginning: &str,
        mut budget: usize,
        into: &mut FxHashMap<String, Tally>,
    ) -> Result<(), IndexError> {
        let inverted = segment.inverted_index(self.fields.tags)?;
        let dictionary = inverted.terms();
        let mut from = beginning.as_bytes().to_vec();
        while budget > 0 {
            let mut terms = dictionary.range().ge(&from).into_stream()?;
            if !terms.advance() || !terms.key().starts_with(beginning.as_bytes()) {
                break;
            }
            let key_len = terms.key().iter().take_while(|&&byte| byte != b'=').count();
            let Some(key) = terms.key().get(..key_len).and_then(|key| std::str::from_utf8(key).ok()) else { break };
            let key = key.to_owned();
            let first = terms.term_ord();
            let (mut seen, mut count, mut more) = (0, 0, true);
            while more && seen < SAMPLE {
                seen += 1;
                count += u64::from(terms.value().doc_freq);
                more = terms.advance() && terms.key().starts_with(key.as_bytes()) && is_key(terms.key(), key_len);
            }
            budget = budget.saturating_sub(seen + SEEK);
            from.clear();
            from.extend_from_slice(key.as_bytes());
            // The byte after `=`, to skip the remaining tags of the key.
            from.push(b'=' + 1);
            if more {
                let mut beyond = dictionary.range().ge(&from).into_stream()?;
                let end = if beyond.advance() { beyond.term_ord() } else { dictionary.num_terms() as u64 };
                count = count.saturating_mul(end.saturating_sub(first)) / seen as u64;
            }
            into.entry(key).or_default().add(count, more);
        }
        Ok(())
    }
}

/// Cost of a seek, in terms that could be read instead.
const SEEK: usize = 8;

fn is_key(term: &[u8], key_len: usize) -> bool {
    term.get(key_len) == Some(&b'=')
}

fn budget(segments: usize) -> usize {
    (TERMS / segments.max(1)).max(TERMS_PER_SEGMENT)
}
