//! Writes records of the configuration: into their table, into the directory in memory, and as a version that stays.

use std::sync::Arc;

use super::{
    StoreError, audit,
    codec::{id_key, version_key},
    command::Staged,
    index::Applier,
    record::{
        configuration::{encode_destination, encode_filter, encode_source, encode_timeslot, encode_token, encode_user},
        rule::encode_rule,
        subscription::{encode_maintenance, encode_profile, encode_settings},
        version::{without_password, without_secrets},
    },
};
use crate::domain::{
    change::{ConfigurationChange, Subject},
    destination::Destination,
    directory::{DecisionSettings, Directory},
    event_filter::CompiledLists,
    ids::{DestinationId, FilterId, MaintenanceId, ProfileId, RuleId, TimeslotId},
    maintenance::Maintenance,
    profile::Profile,
    rule::Rule,
    source::Source,
    stored_filter::StoredFilter,
    timeslot::Timeslot,
    token::{Token, TokenHash},
    user::User,
};

impl Applier<'_, '_> {
    /// `None` if nothing was changed by it. Whoever calls this logs the change next: its number is in the version.
    pub fn configure(&mut self, write: Staged) -> Result<Option<ConfigurationChange>, StoreError> {
        match write {
            Staged::PutUser(user) => self.put_user(user).map(Some),
            Staged::PutToken(token) => self.put_token(token).map(Some),
            Staged::DeleteToken(hash) => self.delete_token(hash),
            Staged::PutSource(source) => self.put_source(source).map(Some),
            Staged::PutSourceType(name) => self.put_source_type(name),
            Staged::PutTimeslot(timeslot) => self.put_timeslot(timeslot).map(Some),
            Staged::DeleteTimeslot(id) => self.delete_timeslot(id),
            Staged::PutFilter(filter, compiled) => self.put_filter(filter, compiled).map(Some),
            Staged::DeleteFilter(id) => self.delete_filter(id),
            Staged::PutDestination(destination) => self.put_destination(destination).map(Some),
            Staged::DeleteDestination(id) => self.delete_destination(id),
            Staged::PutProfile(profile) => self.put_profile(profile).map(Some),
            Staged::DeleteProfile(id) => self.delete_profile(id),
            Staged::PutMaintenance(maintenance) => self.put_maintenance(maintenance).map(Some),
            Staged::DeleteMaintenance(id) => self.delete_maintenance(id),
            Staged::PutRule(rule) => self.put_rule(rule).map(Some),
            Staged::DeleteRule(id) => self.delete_rule(id),
            Staged::PutSettings(settings) => self.put_settings(settings).map(Some),
            Staged::PutChannel(channel) => self.put_channel(channel).map(Some),
            Staged::DeleteChannel(uuid) => self.delete_channel(uuid),
            _ => Ok(None),
        }
    }

    fn put_user(&mut self, user: User) -> Result<ConfigurationChange, StoreError> {
        let id = user.id.0;
        self.tables.users.insert(id_key(id), encode_user(&user)?.as_slice())?;
        self.keep_version(Subject::User, id, &encode_user(&without_password(&user))?)?;
        let after = audit::user(&user);
        let before = self.directory().put_user(user).map(|user| audit::user(&user));
        Ok(change(Subject::User, id, before, after))
    }

    fn put_token(&mut self, token: Token) -> Result<ConfigurationChange, StoreError> {
        self.tables.tokens.insert(token.hash, encode_token(&token)?.as_slice())?;
        let (id, after) = (token.id.0, audit::token(&token));
        let before = self.directory().put_token(token).map(|token| audit::token(&token));
        Ok(change(Subject::Token, id, before, after))
    }

    fn delete_token(&mut self, hash: TokenHash) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.tokens.remove(hash)?;
        let token = self.directory().remove_token(&hash);
        Ok(token.map(|token| gone(Subject::Token, token.id.0, audit::token(&token))))
    }

    fn put_source(&mut self, source: Source) -> Result<ConfigurationChange, StoreError> {
        let (id, record) = (source.id.0, encode_source(&source)?);
        self.tables.sources.insert(id_key(id), record.as_slice())?;
        self.keep_version(Subject::Source, id, &record)?;
        let after = audit::source(&source);
        let before = self.directory().put_source(source).map(|source| audit::source(&source));
        Ok(change(Subject::Source, id, before, after))
    }

    fn put_source_type(&mut self, name: String) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.source_types.insert(name.as_str(), ())?;
        let new = self.directory().source_types.insert(name.clone()).is_none();
        let after = Some(serde_json::json!({ "name": name }).to_string());
        Ok(new.then_some(ConfigurationChange { subject: Subject::SourceType, key: name, before: None, after }))
    }

    fn put_timeslot(&mut self, timeslot: Timeslot) -> Result<ConfigurationChange, StoreError> {
        let (id, record) = (timeslot.id.0, encode_timeslot(&timeslot)?);
        self.tables.timeslots.insert(id_key(id), record.as_slice())?;
        self.keep_version(Subject::Timeslot, id, &record)?;
        let after = audit::timeslot(&timeslot);
        let before = self.directory().timeslots.insert(timeslot.id, Arc::new(timeslot));
        Ok(change(Subject::Timeslot, id, before.map(|timeslot| audit::timeslot(&timeslot)), after))
    }

    fn delete_timeslot(&mut self, id: TimeslotId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.timeslots.remove(id_key(id.0))?;
        let Some(timeslot) = self.directory().timeslots.remove(&id) else { return Ok(None) };
        self.keep_version(Subject::Timeslot, id.0, &[])?;
        Ok(Some(gone(Subject::Timeslot, id.0, audit::timeslot(&timeslot))))
    }

    fn put_filter(
        &mut self,
        filter: StoredFilter,
        compiled: Option<Arc<CompiledLists>>,
    ) -> Result<ConfigurationChange, StoreError> {
        let (id, record) = (filter.id.0, encode_filter(&filter)?);
        self.tables.filters.insert(id_key(id), record.as_slice())?;
        self.keep_version(Subject::Filter, id, &record)?;
        let after = audit::filter(&filter);
        let (filters, filter) = (&mut self.directory().filters, Arc::new(filter));
        let before = match compiled {
            Some(compiled) => filters.insert_compiled(filter, compiled),
            None => filters.insert(filter.id, filter),
        };
        Ok(change(Subject::Filter, id, before.map(|filter| audit::filter(&filter)), after))
    }

    fn delete_filter(&mut self, id: FilterId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.filters.remove(id_key(id.0))?;
        let Some(filter) = self.directory().filters.remove(&id) else { return Ok(None) };
        self.keep_version(Subject::Filter, id.0, &[])?;
        Ok(Some(gone(Subject::Filter, id.0, audit::filter(&filter))))
    }

    fn put_destination(&mut self, destination: Destination) -> Result<ConfigurationChange, StoreError> {
        let id = destination.id.0;
        self.tables.destinations.insert(id_key(id), encode_destination(&destination)?.as_slice())?;
        self.keep_version(Subject::Destination, id, &encode_destination(&without_secrets(&destination))?)?;
        let after = audit::destination(&destination);
        let before = self.directory().destinations.insert(destination.id, Arc::new(destination));
        Ok(change(Subject::Destination, id, before.map(|destination| audit::destination(&destination)), after))
    }

    fn delete_destination(&mut self, id: DestinationId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.destinations.remove(id_key(id.0))?;
        let Some(destination) = self.directory().destinations.remove(&id) else { return Ok(None) };
        self.keep_version(Subject::Destination, id.0, &[])?;
        Ok(Some(gone(Subject::Destination, id.0, audit::destination(&destination))))
    }

    fn put_profile(&mut self, profile: Profile) -> Result<ConfigurationChange, StoreError> {
        let (id, record) = (profile.id.0, encode_profile(&profile)?);
        self.tables.profiles.insert(id_key(id), record.as_slice())?;
        self.keep_version(Subject::Profile, id, &record)?;
        let after = audit::profile(&profile);
        let before = self.directory().profiles.insert(profile.id, Arc::new(profile));
        Ok(change(Subject::Profile, id, before.map(|profile| audit::profile(&profile)), after))
    }

    fn delete_profile(&mut self, id: ProfileId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.profiles.remove(id_key(id.0))?;
        let Some(profile) = self.directory().profiles.remove(&id) else { return Ok(None) };
        self.keep_version(Subject::Profile, id.0, &[])?;
        Ok(Some(gone(Subject::Profile, id.0, audit::profile(&profile))))
    }

    fn put_maintenance(&mut self, maintenance: Maintenance) -> Result<ConfigurationChange, StoreError> {
        let (id, record) = (maintenance.id.0, encode_maintenance(&maintenance)?);
        self.tables.maintenances.insert(id_key(id), record.as_slice())?;
        self.keep_version(Subject::Maintenance, id, &record)?;
        let after = audit::maintenance(&maintenance);
        let before = self.directory().maintenances.insert(maintenance.id, Arc::new(maintenance));
        Ok(change(Subject::Maintenance, id, before.map(|maintenance| audit::maintenance(&maintenance)), after))
    }

    fn delete_maintenance(&mut self, id: MaintenanceId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.maintenances.remove(id_key(id.0))?;
        let Some(maintenance) = self.directory().maintenances.remove(&id) else { return Ok(None) };
        self.keep_version(Subject::Maintenance, id.0, &[])?;
        Ok(Some(gone(Subject::Maintenance, id.0, audit::maintenance(&maintenance))))
    }

    fn put_rule(&mut self, rule: Rule) -> Result<ConfigurationChange, StoreError> {
        let (id, record) = (rule.id.0, encode_rule(&rule)?);
        self.tables.rules.insert(id_key(id), record.as_slice())?;
        self.keep_version(Subject::Rule, id, &record)?;
        let after = audit::rule(&rule);
        let before = self.directory().rules.insert(rule.id, Arc::new(rule));
        Ok(change(Subject::Rule, id, before.map(|rule| audit::rule(&rule)), after))
    }

    fn delete_rule(&mut self, id: RuleId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.rules.remove(id_key(id.0))?;
        self.tables.overflows.remove(id_key(id.0))?;
        let Some(rule) = self.directory().rules.remove(&id) else { return Ok(None) };
        self.keep_version(Subject::Rule, id.0, &[])?;
        Ok(Some(gone(Subject::Rule, id.0, audit::rule(&rule))))
    }

    /// They have no table of their own: the last version counts.
    fn put_settings(&mut self, settings: DecisionSettings) -> Result<ConfigurationChange, StoreError> {
        self.keep_version(Subject::Settings, 0, &encode_settings(&settings)?)?;
        let (before, after) = (audit::settings(&self.directory.settings), audit::settings(&settings));
        self.directory().settings = Arc::new(settings);
        Ok(change(Subject::Settings, 0, Some(before), after))
    }

    /// To be changed. The published one stays as it is; both share what is the same.
    pub(super) fn directory(&mut self) -> &mut Directory {
        Arc::make_mut(self.directory)
    }

    /// An empty record: it was deleted.
    pub(super) fn keep_version(&mut self, subject: Subject, id: u64, record: &[u8]) -> Result<(), StoreError> {
        let key = version_key(subject, id, self.counters.last_seq + 1);
        self.tables.versions.insert(key, record)?;
        Ok(())
    }
}

fn change(subject: Subject, id: u64, before: Option<String>, after: String) -> ConfigurationChange {
    ConfigurationChange { subject, key: id.to_string(), before, after: Some(after) }
}

fn gone(subject: Subject, id: u64, before: String) -> ConfigurationChange {
    ConfigurationChange { subject, key: id.to_string(), before: Some(before), after: None }
}
