//! Choices that pages offer. Their number is limited, so that things of other users do not make everybody's pages long.

use std::{collections::BTreeSet, sync::Arc};

use rustc_hash::FxHashMap;

use crate::domain::{
    Directory, FilterId, StoredFilter, UserId,
    limits::{CHOICES_SHOWN, SOURCE_TYPE_SHOWN},
};

/// Returns all of the user's own filters, all `chosen` ones, and some of other users. Those are taken from their owners
/// in turn, so that nobody can crowd out the rest. Sorted by owner, with the user's own first, and by name.
#[must_use]
pub fn filters<'a>(
    all: impl IntoIterator<Item = &'a Arc<StoredFilter>>,
    user: UserId,
    chosen: &[FilterId],
) -> Vec<&'a Arc<StoredFilter>> {
    let is_kept = |filter: &StoredFilter| filter.owner == user || chosen.contains(&filter.id);
    let (mut offered, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|filter| is_kept(filter));
    let mut of_owner: FxHashMap<UserId, usize> = FxHashMap::default();
    let mut ranked: Vec<(usize, &Arc<StoredFilter>)> = others
        .into_iter()
        .map(|filter| {
            let rank = of_owner.entry(filter.owner).or_default();
            *rank += 1;
            (*rank, filter)
        })
        .collect();
    ranked.sort_by_key(|(rank, filter)| (*rank, filter.id));
    offered.extend(ranked.into_iter().take(CHOICES_SHOWN).map(|(_, filter)| filter));
    offered.sort_by_cached_key(|filter| (filter.owner != user, filter.name.to_lowercase(), filter.id));
    offered
}

/// Returns all source types that sources have, all `chosen` ones, and some of the others, sorted by name.
#[must_use]
pub fn source_types(directory: &Directory, chosen: &[String]) -> Vec<String> {
    let in_use: BTreeSet<&str> = directory.sources.values().map(|source| source.source_type.as_str()).collect();
    let unused = directory.source_types.iter().map(String::as_str).filter(|name| !in_use.contains(name));
    let unused = unused.filter(|name| name.chars().count() <= SOURCE_TYPE_SHOWN).take(CHOICES_SHOWN);
    let chosen = chosen.iter().map(String::as_str);
    let offered: BTreeSet<&str> = unused.chain(chosen).chain(in_use.iter().copied()).collect();
    offered.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{source::Source, stored_filter::FilterBlob};

    #[test]
    fn nobody_crowds_out_the_filters_of_others() {
        let mut directory = Directory::default();
        let owners = (1..=600).map(|id| (id, 2)).chain([(601, 3), (602, 1), (603, 4)]);
        for (id, owner) in owners {
            let (id, owner, name) = (FilterId(id), UserId(owner), format!("F{id}"));
            let filter = StoredFilter { id, owner, name, public: true, blob: FilterBlob::default() };
            directory.filters.insert(id, Arc::new(filter));
        }
        let offered = filters(directory.filters.values(), UserId(1), &[FilterId(600)]);
        let ids: Vec<u64> = offered.iter().map(|filter| filter.id.0).collect();
        assert_eq!(ids.len(), CHOICES_SHOWN + 2);
        assert_eq!(ids[0], 602, "one's own first");
        assert!([600, 601, 603].iter().all(|id| ids.contains(id)), "{ids:?}");
    }

    #[test]
    fn types_without_sources_are_bounded() {
        let mut directory = Directory::default();
        for number in 0..5_000 {
            directory.source_types.insert(format!("t{number}"));
        }
        let long = "x".repeat(SOURCE_TYPE_SHOWN + 1);
        for name in ["zino", "gone", &long] {
            directory.source_types.insert(name.to_owned());
        }
        let source = Source {
            id: crate::domain::ids::SourceId(1),
            name: "zino".to_owned(),
            source_type: "zino".to_owned(),
            user: UserId(1),
            base_url: String::new(),
            heartbeat_frequency: None,
        };
        directory.put_source(source);
        let offered = source_types(&directory, &["old".to_owned()]);
        assert_eq!(offered.len(), CHOICES_SHOWN + 2);
        assert!(offered.contains(&"zino".to_owned()) && offered.contains(&"old".to_owned()));
        assert!(!offered.contains(&long));
    }
}
