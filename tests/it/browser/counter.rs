//! Stands between browsers and a server, and counts the live streams that are open.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

pub struct Counter {
    pub address: String,
    streams: Arc<AtomicUsize>,
}

impl Counter {
    /// Its threads last as long as the tests.
    pub fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let counter = Self { address: listener.local_addr().unwrap().to_string(), streams: Arc::default() };
        let (server, streams) = (server.to_owned(), Arc::clone(&counter.streams));
        thread::spawn(move || {
            for browser in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { break };
                let (back, forth) = (server.try_clone().unwrap(), browser.try_clone().unwrap());
                thread::spawn(move || pass(back, forth, &AtomicUsize::new(0)));
                let streams = Arc::clone(&streams);
                thread::spawn(move || pass(browser, server, &streams));
            }
        });
        counter
    }

    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::SeqCst)
    }
}

/// A stream lasts as long as its connection.
fn pass(mut from: TcpStream, mut to: TcpStream, streams: &AtomicUsize) {
    let (mut buffer, mut is_stream) = ([0; 16_384], false);
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !is_stream && buffer[..length].starts_with(b"GET /live/") {
            is_stream = true;
            streams.fetch_add(1, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    if is_stream {
        streams.fetch_sub(1, Ordering::SeqCst);
    }
    drop((to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both)));
}
