//! The protocol of plug-ins: writes requests, and splits output into messages.
//!
//! Requests have the newer form, which older plug-ins understand. Answers may have either form.

use serde_json::{Map, Value, json};

use crate::domain::limits::{PLUGIN_MESSAGE_BYTES, PLUGIN_MESSAGE_DEPTH};

pub(super) const METHOD_NOT_FOUND: i64 = -32_601;
pub(super) const INVALID_PARAMS: i64 = -32_602;
pub(super) const INVALID_REQUEST: i64 = -32_600;

/// A message from a plug-in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Incoming {
    Answer {
        id: u64,
        result: Result<Value, Failure>,
    },
    Call {
        id: Option<Value>,
        method: String,
        params: Value,
    },
    /// An object that is neither an answer nor a call. Holds the reason.
    Strange(&'static str),
}

/// An error answer. Older plug-ins send no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub code: Option<i64>,
    pub message: String,
}

/// Error after which the output cannot be understood anymore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("it wrote something that is no JSON object")]
    NotAnObject,
    #[error("it wrote an object that is not valid JSON")]
    BadJson,
    #[error("it wrote an object of more than {PLUGIN_MESSAGE_BYTES} bytes")]
    TooLong,
    #[error("it wrote an object that is nested too deeply")]
    TooDeep,
}

pub(super) fn request(id: u64, method: &str, params: Option<&Value>) -> Vec<u8> {
    let mut request = json!({"jsonrpc": "2.0", "method": method});
    if let Some(params) = params {
        request["params"] = params.clone();
    }
    request["id"] = id.into();
    line(&request)
}

pub(super) fn refusal(id: &Value, code: i64, message: &str) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id}))
}

fn line(value: &Value) -> Vec<u8> {
    let mut text = value.to_string();
    text.push('\n');
    text.into_bytes()
}

/// Finds the objects in a stream of bytes, in whatever pieces it arrives.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// Bytes of the current object.
    bytes: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Decoder {
    /// Returns the messages that are complete now. After an error the stream cannot be read further.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Vec<Incoming>, WireError> {
        let mut complete = Vec::new();
        for &byte in piece {
            if self.depth == 0 && byte.is_ascii_whitespace() {
                continue;
            }
            if self.depth == 0 && byte != b'{' {
                return Err(WireError::NotAnObject);
            }
            if self.bytes.len() >= PLUGIN_MESSAGE_BYTES {
                return Err(WireError::TooLong);
            }
            self.bytes.push(byte);
            self.step(byte)?;
            if self.depth == 0 {
                let object = serde_json::from_slice(&self.bytes).map_err(|_| WireError::BadJson)?;
                self.bytes.clear();
                complete.push(incoming(object));
            }
        }
        Ok(complete)
    }

    fn step(&mut self, byte: u8) -> Result<(), WireError> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Ok(());
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' if self.depth >= PLUGIN_MESSAGE_DEPTH => return Err(WireError::TooDeep),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }
}

fn incoming(mut object: Map<String, Value>) -> Incoming {
    let id = object.remove("id").filter(|id| !id.is_null());
    if let Some(method) = object.get("method") {
        let Some(method) = method.as_str() else { return Incoming::Strange("its method is no text") };
        let method = method.to_owned();
        return Incoming::Call { id, method, params: object.remove("params").unwrap_or_default() };
    }
    match (id, object.remove("error").filter(|error| !error.is_null())) {
        (Some(id), error) => match id.as_u64() {
            Some(id) => {
                let result = object.remove("result").unwrap_or_default();
                Incoming::Answer { id, result: error.map_or(Ok(result), |error| Err(failure(error))) }
            }
            None => Incoming::Strange("its id is not one of ours"),
        },
        (None, Some(_)) => Incoming::Strange("it did not understand a request"),
        (None, None) => Incoming::Strange("it has neither an id nor a method"),
    }
}

fn failure(error: Value) -> Failure {
    match error {
        Value::String(message) => Failure { code: None, message },
        Value::Object(error) => Failure {
            code: error.get("code").and_then(Value::as_i64),
            message: error.get("message").and_then(Value::as_str).unwrap_or("no reason given").to_owned(),
        },
        other => Failure { code: None, message: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<Incoming> {
        Decoder::default().push(text.as_bytes()).unwrap()
    }

    fn failed(id: u64, code: Option<i64>, message: &str) -> Incoming {
        Incoming::Answer { id, result: Err(Failure { code, message: message.to_owned() }) }
    }

    #[test]
    fn requests_have_the_newer_form() {
        assert_eq!(request(1, "GetInfo", None), b"{\"jsonrpc\":\"2.0\",\"method\":\"GetInfo\",\"id\":1}\n");
        let with = request(2, "SetConfig", Some(&json!({"a": "}"})));
        assert_eq!(with, b"{\"jsonrpc\":\"2.0\",\"method\":\"SetConfig\",\"params\":{\"a\":\"}\"},\"id\":2}\n");
    }

    #[test]
    fn both_generations_are_understood() {
        assert_eq!(read(r#"{"id":1}"#), [Incoming::Answer { id: 1, result: Ok(Value::Null) }]);
        assert_eq!(read(r#"{"result":{"a":1},"id":2}"#), [Incoming::Answer { id: 2, result: Ok(json!({"a": 1})) }]);
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","result":null,"id":3}"#),
            [Incoming::Answer { id: 3, result: Ok(Value::Null) }]
        );
        assert_eq!(read(r#"{"error":"no room","id":4}"#), [failed(4, None, "no room")]);
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"bad"},"id":5}"#),
            [failed(5, Some(-32602), "bad")]
        );
        assert_eq!(read(r#"{"error":{},"id":6}"#), [failed(6, None, "no reason given")]);
        let log = Incoming::Call { id: None, method: "channel::Log".to_owned(), params: json!({"level": "info"}) };
        assert_eq!(read(r#"{"jsonrpc":"2.0","method":"channel::Log","params":{"level":"info"}}"#), [log]);
    }

    #[test]
    fn syntax_separates_messages() {
        let all = read("{\"id\":1}{\"id\":2,\"result\":\"}\\\"{\"}\n\n {\"id\"\n:3}");
        assert_eq!(all.len(), 3);
        assert_eq!(all[1], Incoming::Answer { id: 2, result: Ok("}\"{".into()) });
    }

    #[test]
    fn what_is_strange_is_told_apart_from_what_ends_the_stream() {
        for strange in [r#"{"id":-1}"#, r#"{"id":"x"}"#, "{}", r#"{"error":"x","id":null}"#, r#"{"method":1}"#] {
            assert!(matches!(read(strange)[..], [Incoming::Strange(_)]), "{strange}");
        }
        let end = |text: &str| Decoder::default().push(text.as_bytes()).unwrap_err();
        assert_eq!(end("oops"), WireError::NotAnObject);
        assert_eq!(end("[]"), WireError::NotAnObject);
        assert_eq!(end("{]"), WireError::BadJson);
        assert_eq!(end(&"{\"a\":".repeat(1_000)), WireError::TooDeep);
        assert_eq!(end(&format!("{{\"a\":\"{}", "x".repeat(PLUGIN_MESSAGE_BYTES))), WireError::TooLong);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from)];
        leaf.prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_messages(
            values in prop::collection::vec(value(), 0..5),
            gap in "[ \n\t]{0,3}",
            cuts in prop::collection::vec(1_usize..40, 1..20),
        ) {
            let objects = values.iter().map(|value| json!({"result": value, "id": 7}).to_string() + gap.as_str());
            let text: String = objects.collect();
            let mut decoder = Decoder::default();
            let mut rest = text.as_bytes();
            let mut got = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                got.extend(decoder.push(piece).unwrap());
                rest = more;
            }
            let want: Vec<Incoming> =
                values.into_iter().map(|value| Incoming::Answer { id: 7, result: Ok(value) }).collect();
            prop_assert_eq!(got, want);
        }

        #[test]
        fn garbage_is_no_danger(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10)) {
            let mut decoder = Decoder::default();
            let _ = decoder.push(b"{\"a\":");
            for piece in pieces {
                if decoder.push(&piece).is_err() { break; }
            }
        }

        #[test]
        fn neither_are_brackets_and_quotes(text in r#"[{}\[\]",:\\a1 ]{0,60}"#) {
            let mut decoder = Decoder::default();
            let _ = decoder.push(b"{");
            let _ = decoder.push(text.as_bytes());
        }
    }
}
