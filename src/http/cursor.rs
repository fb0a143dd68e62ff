//! Cursors: positions in a list, opaque to clients (contract section 1.5).

use axum::http::StatusCode;

use super::ApiError;
use crate::domain::{EventId, IncidentId, Timestamp};
use crate::service::{Cursor, EventCursor};

/// Position in a list that can be written as a cursor.
pub trait CursorPosition: Sized {
    fn new(at: Timestamp, id: u64, backwards: bool) -> Self;
    /// Returns time, primary key and direction (`true`: backwards).
    fn parts(&self) -> (Timestamp, u64, bool);
}

impl CursorPosition for Cursor {
    fn new(at: Timestamp, id: u64, backwards: bool) -> Self {
        Self { start: at, id: IncidentId(id), backwards }
    }

    fn parts(&self) -> (Timestamp, u64, bool) {
        (self.start, self.id.0, self.backwards)
    }
}

impl CursorPosition for EventCursor {
    fn new(at: Timestamp, id: u64, backwards: bool) -> Self {
        Self { timestamp: at, id: EventId(id), backwards }
    }

    fn parts(&self) -> (Timestamp, u64, bool) {
        (self.timestamp, self.id.0, self.backwards)
    }
}

#[must_use]
pub fn write(place: &impl CursorPosition) -> String {
    let (at, id, backwards) = place.parts();
    let mut bytes = [0; 17];
    let [flag, rest @ ..] = &mut bytes;
    *flag = u8::from(backwards);
    let words = at.micros().to_be_bytes().into_iter().chain(id.to_be_bytes());
    rest.iter_mut().zip(words).for_each(|(place, byte)| *place = byte);
    hex::encode(bytes)
}

pub fn parse<P: CursorPosition>(text: &str) -> Result<P, ApiError> {
    read(text).ok_or_else(|| ApiError::detail(StatusCode::NOT_FOUND, "Invalid cursor"))
}

fn read<P: CursorPosition>(text: &str) -> Option<P> {
    let mut bytes = [0; 17];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let (&[flag], rest) = bytes.split_first_chunk::<1>()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (id, _) = rest.split_first_chunk::<8>()?;
    let at = Timestamp::from_micros(i64::from_be_bytes(*at))?;
    (flag <= 1).then(|| P::new(at, u64::from_be_bytes(*id), flag == 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn comes_back_as_it_was(
            micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros(), id: u64, backwards: bool,
        ) {
            let cursor = Cursor::new(Timestamp::from_micros(micros).unwrap(), id, backwards);
            prop_assert_eq!(read::<Cursor>(&write(&cursor)), Some(cursor));
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = read::<Cursor>(&text);
        }

        #[test]
        fn never_panics_on_hex(bytes in proptest::collection::vec(any::<u8>(), 17)) {
            let _ = read::<EventCursor>(&hex::encode(bytes));
        }
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        for text in ["null", "0", "cD0yMDI0", &"f".repeat(34), &"0".repeat(33), &"0".repeat(36)] {
            let error = parse::<Cursor>(text).unwrap_err();
            assert_eq!(error.status(), StatusCode::NOT_FOUND);
            assert_eq!(error.body()["detail"], "Invalid cursor");
        }
    }
}
