//! Lists of contacts and groups, read in chunks from short snapshots, so that memory does not grow with their length.

use uuid::Uuid;

use crate::domain::{
    Contact, ContactGroup,
    contact_filter::{Column, Filter},
};
use crate::service::{Contacts, Service, ServiceError};
use crate::store::{Snapshot, StoreError};

/// Number of rows that are read from one snapshot.
const CHUNK: usize = 250;
/// Number of members of all its groups together at which a chunk of groups ends.
const CHUNK_USERS: usize = 20_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupWithUsers {
    pub group: ContactGroup,
    /// Members, by UUID.
    pub users: Vec<Uuid>,
}

impl Contacts {
    /// Lists the contacts that match, by UUID.
    #[must_use]
    pub fn all_contacts(&self, filter: Filter) -> List<Contact> {
        List { service: Service::clone(self), filter, find: contacts, place: ListPosition::Start }
    }

    /// Lists the groups that match with their members, by UUID.
    #[must_use]
    pub fn all_groups(&self, filter: Filter) -> List<GroupWithUsers> {
        List { service: Service::clone(self), filter, find: groups, place: ListPosition::Start }
    }

    /// Returns a page of [`Contacts::all_contacts`]: the rows after the UUID `after`.
    pub async fn contacts_page(
        &self,
        filter: Filter,
        after: Option<Uuid>,
        size: usize,
    ) -> Result<ListPage<Contact>, ServiceError> {
        page(self.all_contacts(filter), after, size, |contact| contact.uuid).await
    }

    /// Returns a page of [`Contacts::all_groups`]: the rows after the UUID `after`.
    pub async fn contact_groups_page(
        &self,
        filter: Filter,
        after: Option<Uuid>,
        size: usize,
    ) -> Result<ListPage<GroupWithUsers>, ServiceError> {
        page(self.all_groups(filter), after, size, |group| group.group.uuid).await
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct ListPage<T> {
    pub rows: Vec<T>,
    /// UUID after which the next page starts. `None` on the last page.
    pub next: Option<Uuid>,
}

async fn page<T: Send + 'static>(
    mut list: List<T>,
    after: Option<Uuid>,
    size: usize,
    uuid: fn(&T) -> Uuid,
) -> Result<ListPage<T>, ServiceError> {
    if let Some(after) = after {
        list.place = ListPosition::After(after);
    }
    let service = list.service.clone();
    let read = move || {
        let mut rows = Vec::new();
        while rows.len() <= size
            && let Some(chunk) = list.next_chunk()
        {
            rows.extend(chunk?);
        }
        let more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| more).map(uuid);
        Ok(ListPage { rows, next })
    };
    service.blocking(read).await
}

/// The rest of a list.
pub struct List<T> {
    service: Service,
    filter: Filter,
    find: Find<T>,
    place: ListPosition,
}

type Find<T> = fn(&Snapshot, &Filter, Option<Uuid>) -> Result<Chunk<T>, StoreError>;

enum ListPosition {
    Start,
    After(Uuid),
    End,
}

struct Chunk<T> {
    rows: Vec<T>,
    /// UUID of the last row that was read, if more may follow.
    last: Option<Uuid>,
}

impl<T> List<T> {
    /// Reads the next chunk, which is never empty. `None` at the end and after an error. Blocking.
    pub fn next_chunk(&mut self) -> Option<Result<Vec<T>, ServiceError>> {
        loop {
            let after = match self.place {
                ListPosition::Start => None,
                ListPosition::After(last) => Some(last),
                ListPosition::End => return None,
            };
            let snapshot = self.service.store().snapshot();
            let found = snapshot.and_then(|snapshot| (self.find)(&snapshot, &self.filter, after));
            self.place = match &found {
                Ok(Chunk { last: Some(last), .. }) => ListPosition::After(*last),
                _ => ListPosition::End,
            };
            match found {
                Ok(chunk) if chunk.rows.is_empty() => {}
                found => return Some(found.map(|chunk| chunk.rows).map_err(ServiceError::from)),
            }
        }
    }
}

fn contacts(snapshot: &Snapshot, filter: &Filter, after: Option<Uuid>) -> Result<Chunk<Contact>, StoreError> {
    let named = filter.only_text(Column::Username).map(|name| snapshot.contact_named(name)).transpose()?;
    let (mut rows, mut last) = (Vec::new(), None);
    match (filter.only_id(), named) {
        (Some(only), _) | (None, Some(Some(only))) => rows.extend(snapshot.contact(only)?),
        (None, Some(None)) => {}
        (None, None) => {
            rows = snapshot.contacts(after, CHUNK)?;
            last = rows.last().filter(|_| rows.len() == CHUNK).map(|contact| contact.uuid);
        }
    }
    rows.retain(|contact| filter.matches(contact));
    Ok(Chunk { rows, last })
}

fn groups(snapshot: &Snapshot, filter: &Filter, after: Option<Uuid>) -> Result<Chunk<GroupWithUsers>, StoreError> {
    let named = filter.only_text(Column::Name).map(|name| snapshot.contact_group_named(name)).transpose()?;
    let (mut found, mut last) = (Vec::new(), None);
    match (filter.only_id(), named) {
        (Some(only), _) | (None, Some(Some(only))) => found.extend(snapshot.contact_group(only)?),
        (None, Some(None)) => {}
        (None, None) => {
            found = snapshot.contact_groups(after, CHUNK)?;
            last = found.last().filter(|_| found.len() == CHUNK).map(|group| group.uuid);
        }
    }
    let (mut rows, mut users_read) = (Vec::new(), 0);
    for group in found.into_iter().filter(|group| filter.matches(group)) {
        let users = snapshot.members_of(group.uuid)?;
        users_read += users.len();
        let uuid = group.uuid;
        rows.push(GroupWithUsers { group, users });
        if users_read >= CHUNK_USERS {
            last = Some(uuid);
            break;
        }
    }
    Ok(Chunk { rows, last })
}
