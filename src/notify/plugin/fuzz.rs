//! Fuzz targets for the output of plug-ins.

use serde_json::Value;

use super::{
    info,
    wire::{Decoder, INVALID_REQUEST, Incoming, WireError, refusal},
};
use crate::{
    domain::limits::{PLUGIN_CHOICES, PLUGIN_MESSAGE_BYTES, PLUGIN_OPTIONS},
    fuzz::{run, within_memory},
};

const EXAMPLES: &[&str] = &[
    "{\"jsonrpc\":\"2.0\",\"result\":{\"a\":1},\"id\":2}\n{\"id\":3,\"error\":\"no room\"}\n",
    "{\"error\":{\"code\":-32602,\"message\":\"bad\"},\"id\":5}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"channel::Log\",\"params\":{\"level\":\"info\",\"message\":\"}\\\"{\"}}",
    "{\"method\":\"x\",\"id\":\"7\"} {\"id\":-1}\n\n{}",
    "{\"id\":1,\"result\":{\"name\":\"Room\",\"version\":\"1.2\",\"author\":\"A\",\"config_attrs\":[{\"name\":\"token\",\
     \"type\":\"secret\",\"label\":{\"en_US\":\"Token\"},\"required\":true},{\"name\":\"x\",\"type\":\"option\",\
     \"help\":{\"en_US\":\"Which.\"},\"options\":{\"a\":\"A\",\"b\":\"B\"}},7]}}",
    "oops\n",
];

/// Reads all messages until the first error.
fn read(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (Vec<Incoming>, Option<WireError>) {
    let (mut decoder, mut messages) = (Decoder::default(), Vec::new());
    for piece in pieces {
        match decoder.push(piece.as_ref()) {
            Ok(more) => messages.extend(more),
            Err(error) => return (messages, Some(error)),
        }
    }
    (messages, None)
}

#[test]
fn lines_of_plug_ins() {
    run("lines_of_plug_ins", EXAMPLES, |input| {
        let memory = (64 << 10) + 1_024 * input.len().min(PLUGIN_MESSAGE_BYTES);
        let (messages, error) = within_memory(memory, || read([input]));
        let (by_byte, error_by_byte) = read(input.chunks(1));
        assert_eq!(error, error_by_byte);
        // Messages in the same piece as an error are dropped.
        assert!(error.is_some() || messages == by_byte, "{messages:?} {by_byte:?}");
        let (by_seven, _) = read(input.chunks(7));
        assert!(by_byte.starts_with(&by_seven));
        for message in by_byte {
            if let Incoming::Call { id: Some(id), method, .. } = message {
                let answer = refusal(&id, INVALID_REQUEST, &method);
                let (line, rest) = answer.split_last().unwrap();
                assert!(*line == b'\n' && !rest.contains(&b'\n'));
                let value: Value = serde_json::from_slice(rest).unwrap();
                assert_eq!((&value["id"], value["error"]["message"].as_str()), (&id, Some(method.as_str())));
            }
        }
    });
}

#[test]
fn descriptions_of_plug_ins() {
    let is_clean = |text: &str| text.chars().count() <= 300 && !text.contains(char::is_control);
    run("descriptions_of_plug_ins", EXAMPLES, |input| {
        let (messages, _) = read(input.chunks(64));
        for message in messages {
            let Incoming::Answer { result: Ok(answer), .. } = message else { continue };
            let info = within_memory((64 << 10) + 64 * input.len(), || info::read(&answer));
            assert!([&info.name, &info.version, &info.author].into_iter().all(|text| is_clean(text)), "{info:?}");
            assert!(info.options.len() <= PLUGIN_OPTIONS);
            for option in info.options {
                assert!(
                    [&option.name, &option.kind, &option.label, &option.help].into_iter().all(|text| is_clean(text))
                );
                assert!(option.choices.len() <= PLUGIN_CHOICES && option.choices.iter().all(|text| is_clean(text)));
            }
        }
    });
}
