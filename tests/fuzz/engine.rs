//! Runs fuzz targets: makes inputs, checks a property of each, and reports a short input that breaks it.
//!
//! Shared by the targets in this folder and those in `fuzz.rs` files of `src`, which test private parsers.

use std::{
    cell::Cell,
    collections::hash_map::RandomState,
    fs,
    hash::BuildHasher,
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::Once,
    time::{Duration, Instant},
};

use proptest::{
    prelude::*,
    sample::Index,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// Seconds for which each target runs, perhaps with a fraction. Without it, each gets `INPUTS` inputs from a fixed seed.
const SECONDS: &str = "ARGUSD_TEST_FUZZ_SECONDS";
/// Seed of the first input; each later input has the next number.
const SEED: &str = "ARGUSD_TEST_SEED";
const INPUTS: u64 = 200;
/// Bytes of an input at most.
const LONGEST: usize = 64 << 10;
/// Attempts to find a shorter input that fails, too.
const SHORTER: usize = 5_000;
/// Inputs that once failed: a file for each target, with an escaped input on each line.
const FOUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/found");

/// Pieces at which parsers are known to stumble.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"%",
    b"%00",
    b"%zz",
    b"%3C",
    b"%ff",
    b"%C3%A5",
    b"&",
    b"&&",
    b"=",
    b"+",
    b"-",
    b";",
    b",",
    b".",
    b"..",
    b":",
    b"/",
    b"@",
    b"#",
    b"?",
    b"*",
    b"**",
    b"|",
    b"!",
    b"~",
    b"(",
    b")",
    b"()",
    b"[",
    b"]",
    b"[]",
    b"[0]",
    b"[0]a",
    b"[4294967295]",
    b"{",
    b"}",
    b"{}",
    b"\"",
    b"\"\"",
    b"\\",
    b"\\\"",
    b"\\u0000",
    b"\\ud800",
    b"'",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\n--",
    b"\t",
    b" ",
    b"\xc2\xa0",
    b"\xe3\x80\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\xc3\xa9",
    b"\xc4\xb0",
    b"\xc3\x9f",
    b"\xd9\xa3",
    b"\xf0\x9d\x9f\x98",
    b"e\xcc\x81",
    b"\x80",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\x01",
    b"\x02",
    b"\x03",
    b"\x7f",
    b"0",
    b"00",
    b"1",
    b"-1",
    b"-0",
    b"0.0",
    b"1.5",
    b"1e5",
    b"1e308",
    b"1e999",
    b"-1e999",
    b"NaN",
    b"inf",
    b"255",
    b"256",
    b"65536",
    b"2147483648",
    b"4294967296",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999",
    b"null",
    b"true",
    b"false",
    b"infinity",
    b"-infinity",
    b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:59.999999",
    b"2024-02-30",
    b"+24:00",
    b"-23:59",
    b"__proto__",
    b"xn--",
    b"a=b",
];

/// A change to an example. Places are shares of its length.
#[derive(Clone, Debug)]
enum Edit {
    Cut {
        at: Index,
        bytes: usize,
    },
    Truncate {
        at: Index,
    },
    Repeat {
        at: Index,
        bytes: usize,
        times: usize,
    },
    Swap {
        at: Index,
        with: Index,
    },
    Insert {
        at: Index,
        piece: Vec<u8>,
    },
    Replace {
        at: Index,
        piece: Vec<u8>,
    },
    FlipBit {
        at: Index,
        bit: u8,
    },
    /// Puts a part of another example there.
    Splice {
        at: Index,
        example: Index,
        from: Index,
        bytes: usize,
    },
}

#[derive(Clone, Debug)]
enum Plan {
    Bytes(Vec<u8>),
    Pieces(Vec<Index>),
    Edited(Index, Vec<Edit>),
}

/// Runs a target with bytes. `property` panics if it does not hold.
pub fn run(name: &str, examples: &[impl AsRef<[u8]>], property: impl Fn(&[u8])) {
    let examples: Vec<&[u8]> = examples.iter().map(AsRef::as_ref).collect();
    for input in known(name) {
        check(name, "a known input", &input, &property);
    }
    for example in &examples {
        check(name, "an example", example, &property);
    }
    let seconds = variable(SECONDS).and_then(|text| text.parse().ok()).map(Duration::from_secs_f64);
    let first = variable(SEED).and_then(|text| text.parse().ok());
    let first = first.unwrap_or_else(|| seconds.map_or(0, |_| RandomState::new().hash_one(name) >> 16));
    let (start, plans, config) = (Instant::now(), plans(), Config { failure_persistence: None, ..Config::default() });
    let (mut inputs, mut slowest) = (0, (Duration::ZERO, Vec::new()));
    while seconds.map_or(inputs < INPUTS, |seconds| start.elapsed() < seconds) {
        let seed = first.wrapping_add(inputs);
        let input = made(&plans, seed, &config, &examples);
        let begun = Instant::now();
        check(name, &format!("{SEED}={seed}"), &input, &property);
        if begun.elapsed() > slowest.0 {
            slowest = (begun.elapsed(), input);
        }
        inputs += 1;
    }
    let (longest, input) = slowest;
    let input = &input[..input.len().min(200)];
    let spent = start.elapsed();
    println!("fuzz {name}: {inputs} inputs in {spent:.1?}, slowest {longest:.1?} for \"{}\"", input.escape_ascii());
}

/// Runs a target with text; what is not UTF-8 is replaced.
pub fn run_texts(name: &str, examples: &[impl AsRef<[u8]>], property: impl Fn(&str)) {
    run(name, examples, |input| property(&String::from_utf8_lossy(input)));
}

/// Fails if `work` holds more than `bytes` of memory at any moment.
pub fn within_memory<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let mut done = None;
    let held = allocation_counter::measure(|| done = Some(panic::catch_unwind(AssertUnwindSafe(work))));
    let done = done.unwrap().unwrap_or_else(|panic| panic::resume_unwind(panic));
    assert!(held.bytes_max <= bytes as u64, "it held {} bytes of memory, more than {bytes}", held.bytes_max);
    done
}

#[allow(clippy::disallowed_methods, reason = "a test has no settings")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn check(name: &str, origin: &str, input: &[u8], property: &impl Fn(&[u8])) {
    let Err(first) = attempt(input, property) else { return };
    let (shorter, why) = shortened(input, first, property);
    panic!(
        "fuzz target {name} failed for {origin}: {why}\nshort input: \"{}\"\nwhole input: \"{}\"\n\
         once it is fixed, add the short input to {FOUND}/{name}",
        shorter.escape_ascii(),
        input.escape_ascii()
    );
}

/// `Err`: why the property does not hold.
fn attempt(input: &[u8], property: &impl Fn(&[u8])) -> Result<(), String> {
    thread_local!(static IS_QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                before(info);
            }
        }));
    });
    IS_QUIET.set(true);
    let done = panic::catch_unwind(AssertUnwindSafe(|| property(input)));
    IS_QUIET.set(false);
    done.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
    })
}

/// Leaves out pieces, smaller and smaller ones, as long as the rest fails.
fn shortened(input: &[u8], why: String, property: &impl Fn(&[u8])) -> (Vec<u8>, String) {
    let (mut best, mut why, mut attempts) = (input.to_vec(), why, 0);
    let mut piece = best.len().div_ceil(2);
    while piece > 0 && attempts < SHORTER {
        let (mut at, before) = (0, best.len());
        while at < best.len() && attempts < SHORTER {
            let mut shorter = best.clone();
            shorter.drain(at..(at + piece).min(best.len()));
            attempts += 1;
            match attempt(&shorter, property) {
                Err(reason) => (best, why) = (shorter, reason),
                Ok(()) => at += piece,
            }
        }
        if best.len() == before {
            piece /= 2;
        }
    }
    (best, why)
}

/// Inputs of a target that once failed.
fn known(name: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(Path::new(FOUND).join(name)).unwrap_or_default();
    text.lines().filter(|line| !line.is_empty()).map(unescaped).collect()
}

/// Reads what `escape_ascii` writes.
fn unescaped(line: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), line.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'\\' { after_backslash(&mut rest) } else { byte });
    }
    bytes
}

fn after_backslash(rest: &mut impl Iterator<Item = u8>) -> u8 {
    match rest.next().unwrap() {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'x' => {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        }
        other => other,
    }
}

fn made(plans: &impl Strategy<Value = Plan>, seed: u64, config: &Config, examples: &[&[u8]]) -> Vec<u8> {
    let mut whole = [0; 32];
    whole[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &whole);
    let plan = plans.new_tree(&mut TestRunner::new_with_rng(config.clone(), rng)).unwrap().current();
    let mut input = match plan {
        Plan::Bytes(bytes) => bytes,
        Plan::Pieces(pieces) => pieces.iter().flat_map(|piece| PIECES[piece.index(PIECES.len())]).copied().collect(),
        Plan::Edited(..) if examples.is_empty() => Vec::new(),
        Plan::Edited(example, edits) => {
            let mut input = examples[example.index(examples.len())].to_vec();
            for edit in &edits {
                apply(edit, &mut input, examples);
            }
            input
        }
    };
    input.truncate(LONGEST);
    input
}

fn apply(edit: &Edit, input: &mut Vec<u8>, examples: &[&[u8]]) {
    let place = |at: &Index| at.index(input.len() + 1);
    match edit {
        Edit::Cut { at, bytes } => {
            let at = place(at);
            input.drain(at..(at + bytes).min(input.len()));
        }
        Edit::Truncate { at } => input.truncate(place(at)),
        Edit::Repeat { at, bytes, times } => {
            let at = place(at);
            let end = (at + bytes).min(input.len());
            let piece = input[at..end].repeat(*times);
            input.splice(end..end, piece);
            input.truncate(LONGEST);
        }
        Edit::Swap { at, with } if !input.is_empty() => {
            let (at, with) = (at.index(input.len()), with.index(input.len()));
            input.swap(at, with);
        }
        Edit::Insert { at, piece } => {
            let at = place(at);
            input.splice(at..at, piece.iter().copied());
        }
        Edit::Replace { at, piece } => {
            let at = place(at);
            input.splice(at..(at + piece.len()).min(input.len()), piece.iter().copied());
        }
        Edit::FlipBit { at, bit } if !input.is_empty() => {
            let at = at.index(input.len());
            input[at] ^= 1 << bit;
        }
        Edit::Splice { at, example, from, bytes } => {
            let (at, other) = (place(at), examples[example.index(examples.len())]);
            let from = from.index(other.len() + 1);
            input.splice(at..at, other[from..(from + bytes).min(other.len())].iter().copied());
        }
        Edit::Swap { .. } | Edit::FlipBit { .. } => {}
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let at = any::<Index>;
    let bytes = || prop_oneof![4 => 1..4_usize, 2 => 4..40_usize, 1 => 40..400_usize];
    let piece = || {
        prop_oneof![
            6 => at().prop_map(|piece| PIECES[piece.index(PIECES.len())].to_vec()),
            2 => prop::collection::vec(any::<u8>(), 1..6),
            1 => "\\PC{1,4}".prop_map(String::into_bytes),
            1 => "[a-z0-9_]{1,6}".prop_map(String::into_bytes),
        ]
    };
    let edit = prop_oneof![
        4 => (at(), bytes()).prop_map(|(at, bytes)| Edit::Cut { at, bytes }),
        1 => at().prop_map(|at| Edit::Truncate { at }),
        2 => (at(), bytes(), prop_oneof![8 => 1..5_usize, 1 => 5..2_000_usize])
            .prop_map(|(at, bytes, times)| Edit::Repeat { at, bytes, times }),
        2 => (at(), at()).prop_map(|(at, with)| Edit::Swap { at, with }),
        5 => (at(), piece()).prop_map(|(at, piece)| Edit::Insert { at, piece }),
        5 => (at(), piece()).prop_map(|(at, piece)| Edit::Replace { at, piece }),
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::FlipBit { at, bit }),
        3 => (at(), at(), at(), bytes())
            .prop_map(|(at, example, from, bytes)| Edit::Splice { at, example, from, bytes }),
    ];
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Plan::Bytes),
        1 => "\\PC{0,60}".prop_map(|text| Plan::Bytes(text.into_bytes())),
        2 => prop::collection::vec(at(), 0..20).prop_map(Plan::Pieces),
        12 => (at(), prop::collection::vec(edit, 0..6)).prop_map(|(example, edits)| Plan::Edited(example, edits)),
    ]
}
