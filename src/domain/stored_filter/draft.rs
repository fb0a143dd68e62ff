//! Drafts of saved filters, and the filters that result from them.

use super::{FilterBlob, StoredFilter};
use crate::domain::{
    Action, Directory, FilterId, Managed, NotificationRefusal, Refusal, Timestamp, UserId,
    draft::{check_count, check_name, require},
    limits::{FILTER_BYTES, FILTER_BYTES_PER_USER, FILTER_NAME},
    refusal::ProfileLabel,
};

/// The requested values of a new or changed filter. `None`: unchanged, or the default of a new filter.
#[derive(Clone, Debug, Default)]
pub struct FilterDraft {
    pub name: Option<String>,
    pub public: Option<bool>,
    pub blob: Option<BlobEdit>,
}

impl Managed for StoredFilter {
    const ACTION: Action = Action::UseDesk;
    const IS_PERSONAL: bool = true;
    const LONGEST_NAME: usize = FILTER_NAME;

    /// Refuses to delete a filter that a profile, a rule or planned maintenance names.
    fn check_deletion(&self, directory: &Directory, _: Timestamp) -> Result<(), Refusal> {
        let profiles = ProfileLabel::of_users(directory, self.owner, |profile| profile.filters.contains(&self.id));
        if !profiles.is_empty() {
            return Err(NotificationRefusal::FilterInProfiles(profiles).into());
        }
        let rules = directory.rules_where(|rule| rule.filters.contains(&self.id));
        if !rules.is_empty() {
            return Err(NotificationRefusal::FilterInRules(rules).into());
        }
        let maintenances = directory.maintenances.values().filter(|it| it.filters.contains(&self.id));
        let maintenances: Vec<_> = maintenances.map(|it| it.id).collect();
        if maintenances.is_empty() {
            Ok(())
        } else {
            Err(NotificationRefusal::FilterInMaintenance(maintenances).into())
        }
    }
}

impl FilterDraft {
    pub fn check(&self) -> Result<(), Refusal> {
        check_name(StoredFilter::LONGEST_NAME, self.name.as_deref())
    }

    /// Returns the new or changed filter. `before` is `None` for a new one of `owner`. The size was checked before.
    pub fn apply(
        self,
        before: Option<&StoredFilter>,
        owner: UserId,
        directory: &Directory,
    ) -> Result<StoredFilter, Refusal> {
        let mut filter = if let Some(before) = before {
            before.clone()
        } else {
            require("name", self.name.as_ref())?;
            let blob = FilterBlob::default();
            StoredFilter { id: FilterId(0), owner, name: String::new(), public: false, blob }
        };
        let others = directory.filters_of(owner);
        if let Some(name) = self.name.filter(|name| *name != filter.name) {
            if others.iter().any(|other| other.name == name) {
                return Err(Refusal::FilterExists { name, owner: directory.username(owner) });
            }
            filter.name = name;
        }
        if before.is_none() {
            check_count::<StoredFilter>("filters", others.len())?;
        }
        filter.public = self.public.unwrap_or(filter.public);
        if let Some(blob) = self.blob {
            blob.apply(&mut filter.blob);
        }
        let size = before.map_or(0, |before| before.blob.bytes());
        check_size(&filter.blob, size)?;
        check_sum(directory, owner, size, filter.blob.bytes())?;
        Ok(filter)
    }
}

/// Change of criteria. Versions of the API know different criteria, and those that a caller does not know do not
/// change.
#[derive(Clone, Debug)]
pub enum BlobEdit {
    /// Replaces all criteria.
    Whole(FilterBlob),
    /// Replaces all criteria except [wide](crate::domain::criterion::Criterion::is_wide) ones.
    Plain(FilterBlob),
    /// Replaces sources and tags only.
    SourcesAndTags(FilterBlob),
}

impl BlobEdit {
    pub fn apply(self, to: &mut FilterBlob) {
        match self {
            Self::Whole(blob) => *to = blob,
            Self::Plain(blob) => *to = blob.merged(to, |criterion, _| !criterion.is_wide),
            Self::SourcesAndTags(blob) => (to.source_ids, to.tags) = (blob.source_ids, blob.tags),
        }
    }
}

/// Checks the size of a blob. `before` is its size so far. It may exceed a bound that was introduced later, if it does
/// not grow.
pub fn check_size(blob: &FilterBlob, before: usize) -> Result<(), Refusal> {
    let (bytes, limit) = (blob.bytes(), FILTER_BYTES);
    if bytes > limit && bytes > before { Err(Refusal::FilterTooLarge { bytes, limit }) } else { Ok(()) }
}

/// Checks the size of all filters of a user together.
fn check_sum(directory: &Directory, owner: UserId, before: usize, after: usize) -> Result<(), Refusal> {
    let all: usize = directory.filters_of(owner).iter().map(|filter| filter.blob.bytes()).sum();
    if after > before && all - before + after > FILTER_BYTES_PER_USER {
        let what = "bytes in all filters of a user together";
        return Err(Refusal::TooManyInAll { field: "filter", what, limit: FILTER_BYTES_PER_USER });
    }
    Ok(())
}
