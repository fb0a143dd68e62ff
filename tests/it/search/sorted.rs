//! Sorted pages put together are the sorted list, in every order, both ways.

use std::cmp::{Ordering, Reverse};

use argusd::{
    domain::{
        change::ChangeKind,
        filter::Criteria,
        ids::IncidentId,
        incident::{EndTime, Incident},
    },
    search::{Sort, SortColumn, SortedCursor, SortedFound},
};

use super::{Question, SOURCES, World, at};

impl World {
    pub fn ask_sorted(&self, question: &Question, sort: Sort) {
        let (criteria, now) = (question.criteria(), at(question.now));
        let mut expected: Vec<&Incident> = Vec::new();
        expected.extend(self.model.values().filter(|entry| question.meets(entry)).map(|entry| &entry.incident));
        expected.sort_by(|a, b| compare(a, b, sort));
        let expected: Vec<u64> = expected.iter().map(|incident| incident.id.0).collect();
        let page = |cursor: Option<SortedCursor>| {
            // As it comes back from a URL.
            let cursor = cursor.map(|cursor| SortedCursor::parse(&cursor.to_string()).unwrap());
            let page = self.search().sorted_page(&criteria, sort, cursor, question.size, now).unwrap();
            assert_eq!(page.matching, expected.len() as u64, "{sort:?} {criteria:?}");
            assert!(page.ids.len() <= question.size);
            page
        };
        let ids = |page: &SortedFound| page.ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let mut current = page(None);
        assert_eq!(current.previous, None);
        let mut found = ids(&current);
        while let Some(next) = current.next {
            current = page(Some(next));
            found.extend(ids(&current));
            assert!(found.len() <= expected.len(), "{sort:?} {criteria:?}: {found:?} {expected:?}");
        }
        assert_eq!(found, expected, "{sort:?} {criteria:?}");
        let mut back = ids(&current);
        while let Some(previous) = current.previous {
            current = page(Some(previous));
            back.splice(0..0, ids(&current));
            assert!(back.len() <= expected.len(), "backwards {sort:?} {criteria:?}: {back:?} {expected:?}");
        }
        assert_eq!(back, expected, "backwards {sort:?} {criteria:?}");
    }

    pub fn ask_in_every_order(&self, question: &Question) {
        for column in SortColumn::ALL {
            for descending in [false, true] {
                self.ask_sorted(question, Sort { column, descending });
            }
        }
    }
}

fn compare(a: &Incident, b: &Incident, sort: Sort) -> Ordering {
    let source = |incident: &Incident| SOURCES[incident.source.0 as usize - 1];
    let end = |incident: &Incident| match incident.end {
        EndTime::Stateless => (0, at(0)),
        EndTime::At(end) => (1, end),
        EndTime::Infinity => (2, at(0)),
    };
    let order = match sort.column {
        SortColumn::Start => (a.start, a.id).cmp(&(b.start, b.id)),
        SortColumn::Id => a.id.cmp(&b.id),
        SortColumn::End => end(a).cmp(&end(b)),
        SortColumn::Level => a.level.cmp(&b.level),
        SortColumn::Source => source(a).0.to_lowercase().cmp(&source(b).0.to_lowercase()),
        SortColumn::SourceType => source(a).1.cmp(source(b).1),
        SortColumn::Ticket => a.ticket_url.is_empty().cmp(&b.ticket_url.is_empty()),
    };
    let order = if sort.descending { order.reverse() } else { order };
    order.then_with(|| Reverse((a.start, a.id)).cmp(&Reverse((b.start, b.id))))
}

#[test]
fn a_cursor_works_after_its_row_was_deleted() {
    let mut world = World::new();
    for start in 0..6 {
        world.create(super::an_incident(start, 1 + start as u64 % 3), "");
    }
    for column in SortColumn::ALL {
        let sort = Sort { column, descending: false };
        let page = |cursor| world.search().sorted_page(&Criteria::default(), sort, cursor, 2, at(0));
        let first = page(None).unwrap();
        let second = page(first.next).unwrap();
        let third = page(second.next).unwrap();
        assert_eq!(page(third.previous).unwrap(), second, "{column:?}");
        assert_eq!(page(second.previous).unwrap(), first, "{column:?}");
        assert_eq!((third.next, third.ids.len(), third.matching), (None, 2, 6), "{column:?}");
        // Another order starts from its beginning.
        let other = Sort { column, descending: true };
        let turned = world.search().sorted_page(&Criteria::default(), other, first.next, 2, at(0));
        assert_eq!(turned.unwrap().previous, None, "{column:?}");
    }
    let sort = Sort { column: SortColumn::End, descending: false };
    let all = Criteria::default();
    let page = |world: &World, cursor| world.search().sorted_page(&all, sort, cursor, 4, at(0)).unwrap();
    let first = page(&world, None);
    for id in [1, 2] {
        world.model.remove(&id);
        world.write(move |tx| {
            tx.delete_incident(IncidentId(id));
            tx.log(ChangeKind::IncidentDeleted { incident: IncidentId(id) });
        });
    }
    let gone = page(&world, first.next);
    assert_eq!((gone.ids.len(), gone.next), (0, None));
    assert_eq!(page(&world, gone.previous).ids, first.ids);
}
