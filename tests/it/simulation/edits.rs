//! What people do to the configuration meanwhile.

use argusd::{
    domain::{
        destination::Destination,
        directory::DecisionSettings,
        event::EventType,
        ids::{DestinationId, FilterId, ProfileId, SourceId, TimeslotId, UserId},
        maintenance::Maintenance,
        profile::Profile,
        source::Source,
        stored_filter::{FilterBlob, StoredFilter},
        timeslot::{Recurrence, TimeOfDay, Timeslot, all_the_time},
    },
    service::Service,
    store::{Command, StoreError},
};

use argusd::clock::Clock;
use chrono_tz::Tz;

use super::{
    dice::Dice,
    world::{MINUTE, USERS, World, sorted},
};

/// The sources of [`World::new`].
pub(super) const SOURCES: [SourceId; 2] = [SourceId(2), SourceId(3)];

pub(super) type Change = Box<dyn FnOnce(&mut Command<'_>) + Send>;

/// In one command.
async fn carry_out(service: Service, changes: Vec<Change>) {
    let done = service.store().write(None, move |command| {
        for change in changes {
            change(command);
        }
        Ok::<(), StoreError>(())
    });
    done.await.unwrap();
}

impl World {
    /// At once, unless edits are held back for [`World::edit_and_incident`].
    pub(super) async fn write(&self, change: impl FnOnce(&mut Command<'_>) + Send + 'static) {
        let change: Change = Box::new(change);
        let now = match self.held.lock().unwrap().as_mut() {
            Some(held) => {
                held.push(change);
                return;
            }
            None => vec![change],
        };
        carry_out(self.service.clone(), now).await;
    }

    /// An edit of any kind that decisions depend on, and an incident with nothing in between, half of the time without
    /// waiting for the edit, so that both are in one batch.
    pub(super) async fn edit_and_incident(&mut self) {
        let (source, new) = (self.source(), self.new_incident());
        *self.held.lock().unwrap() = Some(Vec::new());
        self.any_edit().await;
        let edits = self.held.lock().unwrap().take().unwrap();
        let edit = carry_out(self.service.clone(), edits);
        let service = self.service.clone();
        let incidents = service.incidents();
        let create = incidents.create_incident(&source, new);
        let incident = if self.dice.percent(50) {
            edit.await;
            create.await
        } else {
            futures_util::join!(edit, create).1
        };
        let incident = incident.unwrap();
        self.edits_before_events += 1;
        self.judge_first_event(incident.id).await;
    }

    async fn any_edit(&mut self) {
        match self.dice.below(12) {
            0 | 1 => self.change_filter().await,
            2 => self.change_fallback().await,
            3 => self.change_timeslot().await,
            4 => self.change_profile().await,
            5 => self.change_maintenance().await,
            6 => self.change_rule().await,
            7 => self.change_destination().await,
            8 => self.switch_user().await,
            9 | 10 => self.change_source().await,
            _ => self.change_settings().await,
        }
    }

    /// What a filter leaves open.
    async fn change_fallback(&mut self) {
        let fallback = if self.dice.percent(40) { FilterBlob::default() } else { self.small_blob() };
        self.write(move |command| {
            let settings = DecisionSettings::clone(&command.directory().settings);
            command.put_settings(DecisionSettings { fallback, ..settings });
        })
        .await;
    }

    async fn change_settings(&mut self) {
        let (zone, switches) =
            (*self.dice.pick(&[Tz::Europe__Oslo, Tz::Europe__Oslo, Tz::Asia__Kolkata]), self.dice.percent(30));
        self.write(move |command| {
            let settings = DecisionSettings::clone(&command.directory().settings);
            let send = settings.send != switches;
            command.put_settings(DecisionSettings { time_zone: zone, send, ..settings });
        })
        .await;
    }

    /// Another name and maybe another type.
    async fn change_source(&mut self) {
        let id = *self.dice.pick(&SOURCES);
        let (kind, name) = (*self.dice.pick(&["nav", "zabbix"]), format!("{id} in room {}", self.dice.below(5)));
        self.write(move |command| {
            let source = Source::clone(command.directory().source(id).unwrap());
            command.put_source(Source { name, source_type: kind.to_owned(), ..source });
        })
        .await;
    }

    /// Another address.
    async fn change_destination(&mut self) {
        let directory = self.service.directory();
        let own = directory.destinations.values().filter(|it| !it.synced);
        let destinations: Vec<DestinationId> = own.map(|it| it.id).collect();
        let (id, version) = (*self.dice.pick(&destinations), self.dice.below(1_000_000));
        self.write(move |command| {
            let destination = Destination::clone(&command.directory().destinations[&id]);
            let settings = [("email_address".to_owned(), format!("d{id}v{version}@example.org"))].into();
            command.put_destination(Destination { settings, ..destination });
        })
        .await;
    }

    pub(super) async fn new_filter(&mut self) {
        let (owner, blob) = (self.user(), self.blob());
        self.write(move |command| {
            let id = command.new_filter_id();
            command.put_filter(StoredFilter { id, owner, name: format!("f{id}"), public: false, blob });
        })
        .await;
    }

    pub(super) async fn change_filter(&mut self) {
        let filters: Vec<FilterId> = sorted(self.service.directory().filters.keys());
        let (id, blob) = (*self.dice.pick(&filters), self.blob());
        self.write(move |command| {
            let filter = StoredFilter::clone(&command.directory().filters[&id]);
            command.put_filter(StoredFilter { blob, ..filter });
        })
        .await;
    }

    pub(super) async fn new_timeslot(&mut self) {
        let (owner, recurrences) = (self.user(), self.recurrences());
        self.write(move |command| {
            let id = command.new_timeslot_id();
            command.put_timeslot(Timeslot { name: format!("t{id}"), recurrences, ..all_the_time(id, owner) });
        })
        .await;
    }

    pub(super) async fn change_timeslot(&mut self) {
        let timeslots: Vec<TimeslotId> = sorted(self.service.directory().timeslots.keys());
        let (id, recurrences) = (*self.dice.pick(&timeslots), self.recurrences());
        self.write(move |command| {
            let timeslot = Timeslot::clone(&command.directory().timeslots[&id]);
            command.put_timeslot(Timeslot { recurrences, ..timeslot });
        })
        .await;
    }

    pub(super) async fn new_destination(&mut self) {
        let owner = self.user();
        self.write(move |command| {
            let id = command.new_destination_id();
            let settings = [("email_address".to_owned(), format!("d{id}@example.org"))].into();
            let medium = "email".to_owned();
            command.put_destination(Destination { id, owner, medium, label: None, settings, synced: false });
        })
        .await;
    }

    pub(super) async fn change_profile(&mut self) {
        let profiles: Vec<ProfileId> = sorted(self.service.directory().profiles.keys());
        if profiles.is_empty() || self.dice.percent(20) {
            self.put_profile(None).await;
        } else if self.dice.percent(20) {
            let id = *self.dice.pick(&profiles);
            self.write(move |command| command.delete_profile(id)).await;
        } else {
            let id = *self.dice.pick(&profiles);
            self.put_profile(Some(id)).await;
        }
    }

    pub(super) async fn put_profile(&mut self, id: Option<ProfileId>) {
        let directory = self.service.directory();
        let owner = id.map_or_else(|| self.user(), |id| directory.profiles[&id].owner);
        let timeslots: Vec<TimeslotId> = sorted(directory.timeslots_of(owner).into_iter().map(|it| &it.id));
        let filters: Vec<FilterId> = sorted(directory.filters.keys());
        let destinations: Vec<DestinationId> = sorted(directory.destinations_of(owner).into_iter().map(|it| &it.id));
        let timeslot = *self.dice.pick(&timeslots);
        let mut chosen = vec![*self.dice.pick(&filters)];
        if self.dice.percent(30) {
            chosen.push(*self.dice.pick(&filters));
            chosen.dedup();
        }
        let (destinations, active) = (self.dice.some(&destinations, 60), self.dice.percent(85));
        self.write(move |command| {
            let id = id.unwrap_or_else(|| command.new_profile_id());
            command.put_profile(Profile { id, owner, name: None, timeslot, filters: chosen, destinations, active });
        })
        .await;
    }

    pub(super) async fn change_maintenance(&mut self) {
        let directory = self.service.directory();
        let running = sorted(directory.maintenances.keys());
        let (now, end) = (self.clock.now(), self.dice.percent(60));
        if !running.is_empty() && self.dice.percent(60) {
            let id = *self.dice.pick(&running);
            self.write(move |command| command.delete_maintenance(id)).await;
            return;
        }
        let filters: Vec<FilterId> = sorted(directory.filters.keys());
        let filters = vec![*self.dice.pick(&filters)];
        let (start, length) = (self.dice.below(120) as i64 - 60, self.dice.below(600) as i64 + 61);
        self.write(move |command| {
            let id = command.new_maintenance_id();
            let start = now.saturating_add_micros(start * MINUTE);
            let end = end.then(|| now.saturating_add_micros(length * MINUTE));
            let description = "work".to_owned();
            command.put_maintenance(Maintenance {
                id,
                created_by: UserId(1),
                created: now,
                start,
                end,
                description,
                filters,
            });
        })
        .await;
    }

    pub(super) fn outage(&mut self) {
        let addresses: Vec<String> = (0..8)
            .map(|n| format!("d{n}@example.org"))
            .chain(USERS.map(|u| format!("{u}@example.org")))
            .chain((0..4).map(|n| format!("c{n}@example.org")))
            .collect();
        let address = self.dice.pick(&addresses).clone();
        let mut down = self.carrier.down.lock().unwrap();
        if !down.remove(&address) {
            down.insert(address);
        }
    }

    pub(super) async fn switch_sending(&mut self) {
        let settings = DecisionSettings::clone(&self.service.directory().settings);
        let send = !settings.send;
        self.service.notifications().use_decision_settings(DecisionSettings { send, ..settings }).await.unwrap();
    }

    pub(super) async fn switch_user(&mut self) {
        let id = self.user();
        self.write(move |command| {
            command.edit_user(id, |user| user.is_active = !user.is_active);
        })
        .await;
    }

    /// With one criterion, as a fallback filter with many would let nothing through.
    fn small_blob(&mut self) -> FilterBlob {
        let mut blob = FilterBlob::default();
        match self.dice.below(6) {
            0 => blob.open = Some(true),
            1 => blob.tags = Some(self.tags().into_iter().map(str::to_owned).collect()),
            2 => blob.source_types = Some(vec![(*self.dice.pick(&["nav", "zabbix"])).to_owned()]),
            3 => blob.max_level = Some(self.level()),
            4 => blob.event_types = Some(self.dice.some(&EventType::ALL, 70)),
            _ => blob.source_ids = Some(self.dice.some(&SOURCES, 60)),
        }
        blob
    }

    fn blob(&mut self) -> FilterBlob {
        let mut blob = FilterBlob::default();
        let flag = |dice: &mut Dice| dice.percent(12).then(|| dice.percent(50));
        (blob.open, blob.acked, blob.stateful) = (flag(&mut self.dice), flag(&mut self.dice), flag(&mut self.dice));
        if self.dice.percent(40) {
            blob.tags = Some(self.tags().into_iter().map(str::to_owned).collect());
        }
        if self.dice.percent(30) {
            blob.source_ids = Some(self.dice.some(&[SourceId(2), SourceId(3), SourceId(99)], 50));
        }
        if self.dice.percent(20) {
            blob.source_types = Some(vec![(*self.dice.pick(&["nav", "zabbix", "none"])).to_owned()]);
        }
        if self.dice.percent(40) {
            blob.max_level = Some(self.level());
        }
        if self.dice.percent(25) {
            blob.event_types = Some(self.dice.some(&EventType::ALL, 40));
        }
        blob.hide_closed_acked = self.dice.percent(15);
        blob
    }

    fn recurrences(&mut self) -> Vec<Recurrence> {
        let count = self.dice.below(4);
        let one = |dice: &mut Dice| {
            let start = dice.below(23 * 60);
            let end = start + 1 + dice.below(24 * 60 - start - 1);
            let days = dice.some(&[1, 2, 3, 4, 5, 6, 7], 70);
            Recurrence { days, start: TimeOfDay(start * MINUTE as u64), end: TimeOfDay(end * MINUTE as u64) }
        };
        (0..count).map(|_| one(&mut self.dice)).collect()
    }
}
