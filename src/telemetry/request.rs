//! The id of the request that a task carries out, for log lines and answers.

use tokio::task_local;

/// Length of the longest id.
const LONGEST: usize = 64;

/// Id of a request: 1 to 64 letters, digits, `-`, `_` and `.`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    bytes: [u8; LONGEST],
    length: usize,
}

task_local! {
    static CURRENT: RequestId;
}

impl RequestId {
    /// Reads the id that a client sent. `None` if it has other characters or is too long.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let is_sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        if text.is_empty() || !text.iter().all(is_sane) {
            return None;
        }
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, length: text.len() })
    }

    /// Returns the id with the 32 hexadecimal digits of a number.
    #[must_use]
    pub fn from_number(number: u128) -> Self {
        let mut bytes = [0; LONGEST];
        for (at, byte) in bytes.iter_mut().take(32).enumerate() {
            let digit = (number >> (124 - 4 * at)) as u8 & 0xf;
            *byte = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        Self { bytes, length: 32 }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Runs the future as the request `id`: log lines that it writes name the id.
pub async fn in_request<F: Future>(id: RequestId, future: F) -> F::Output {
    CURRENT.scope(id, future).await
}

/// Returns the id of the request that the current task carries out. `None` outside of requests.
#[must_use]
pub fn current_request() -> Option<RequestId> {
    CURRENT.try_with(|id| *id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_sane_ids_only() {
        let longest = "a".repeat(LONGEST);
        for sane in ["a", "7f-3_A.9", "0b5d9e2c-3c7f-4a55-9d4e-3f1f3a0c9a11", &longest] {
            assert_eq!(RequestId::parse(sane.as_bytes()).unwrap().as_str(), sane);
        }
        let too_long = "a".repeat(LONGEST + 1);
        for bad in ["", "a b", "a\nb", "a\"b", "\u{e5}", "a=b", "../x/", &too_long] {
            assert_eq!(RequestId::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn writes_numbers_in_hexadecimal_digits() {
        assert_eq!(RequestId::from_number(0xabc).as_str(), format!("{:032x}", 0xabc));
        assert_eq!(RequestId::from_number(u128::MAX).as_str(), "f".repeat(32));
    }

    #[tokio::test]
    async fn a_request_knows_its_id() {
        assert_eq!(current_request(), None);
        let id = RequestId::from_number(7);
        assert_eq!(in_request(id, async { current_request() }).await, Some(id));
    }
}
