//! Lines over a Unix socket, with the descriptor of an open file beside them.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as BlockingStream,
    },
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use tokio::{io::Interest, net::UnixStream};

const CHUNK_BYTES: usize = 8 << 10;

/// Sends a line, which must not be empty, with an open file. Blocks.
pub(super) fn send_line(mut stream: &BlockingStream, line: &[u8], file: &File) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("a descriptor does not fit"));
    }
    let sent = rustix::net::sendmsg(stream, &[IoSlice::new(line)], &mut control, SendFlags::NOSIGNAL)?;
    stream.write_all(line.get(sent..).unwrap_or_default())
}

/// Receives a line, with the file that was sent with it. Fails if the line is longer than `limit` bytes.
pub(super) async fn receive_line(stream: &UnixStream, limit: u64) -> io::Result<(String, Option<File>)> {
    let (mut line, mut file) = (Vec::new(), None);
    loop {
        let mut chunk = [0; CHUNK_BYTES];
        let (count, received) = stream.async_io(Interest::READABLE, || receive(stream, &mut chunk)).await?;
        file = file.or(received);
        let chunk = chunk.get(..count).unwrap_or_default();
        let end = chunk.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(chunk.get(..end.unwrap_or(count)).unwrap_or_default());
        if line.len() as u64 >= limit {
            return Err(io::Error::other(format!("it is larger than {limit} bytes")));
        }
        if end.is_some() || count == 0 {
            let line = String::from_utf8(line).map_err(|_| io::Error::other("it is not UTF-8"))?;
            return Ok((line, file.map(File::from)));
        }
    }
}

/// Reads what is there. Of several descriptors the first is returned, and the others are closed.
fn receive(stream: &UnixStream, chunk: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(stream, &mut [IoSliceMut::new(chunk)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut first = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            first = files.fold(first, |first, file| first.or(Some(file)));
        }
    }
    Ok((received.bytes, first))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[tokio::test]
    async fn a_file_arrives_with_its_line() {
        let (one, other) = BlockingStream::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        let other = UnixStream::from_std(other).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let long = "x".repeat(3 * CHUNK_BYTES);
        let sender = {
            let (file, line) = (file.try_clone().unwrap(), format!("{long}\n"));
            tokio::task::spawn_blocking(move || {
                send_line(&one, line.as_bytes(), &file).unwrap();
                one
            })
        };
        let (line, received) = receive_line(&other, 1 << 20).await.unwrap();
        assert!(line == long);
        received.unwrap().write_all(b"written at the other end").unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "written at the other end");

        let mut one = sender.await.unwrap();
        one.write_all(b"without a file\n").unwrap();
        let (line, received) = receive_line(&other, 1 << 20).await.unwrap();
        assert_eq!((line.as_str(), received.is_none()), ("without a file", true));
        one.write_all(b"too long\n").unwrap();
        assert!(receive_line(&other, 5).await.unwrap_err().to_string().contains("larger than 5 bytes"));
    }
}
