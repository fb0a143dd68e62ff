//! What people do to the configuration meanwhile.

use argusd::{
    domain::{
        destination::Destination,
        directory::DecisionSettings,
        event::EventType,
        ids::{DestinationId, FilterId, ProfileId, SourceId, TimeslotId, UserId},
        maintenance::Maintenance,
        profile::Profile,
        stored_filter::{FilterBlob, StoredFilter},
        timeslot::{Recurrence, TimeOfDay, Timeslot, all_the_time},
    },
    service::UserChange,
    store::{Command, StoreError},
};

use argusd::clock::Clock;

use super::{
    dice::Dice,
    world::{MINUTE, USERS, World, sorted},
};

impl World {
    pub(super) async fn write(&self, change: impl FnOnce(&mut Command<'_>) + Send + 'static) {
        let done = self.service.store().write(None, move |command| {
            change(command);
            Ok::<(), StoreError>(())
        });
        done.await.unwrap();
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
        self.service.use_decision_settings(DecisionSettings { send, ..settings }).await.unwrap();
    }

    pub(super) async fn switch_user(&mut self) {
        let (id, local) = (self.user(), self.local());
        let is_active = !self.service.directory().users[&id].is_active;
        let change = UserChange { is_active: Some(is_active), ..UserChange::default() };
        self.service.change_user(&local, id, change).await.unwrap();
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
