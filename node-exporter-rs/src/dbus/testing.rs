//! A service for tests that speaks D-Bus on a socket of its own, and answers as a rule says.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::Place;
use super::wire::{HEAD, Head, Message, length, pad, write_field, write_signature, write_text};

/// What was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub path: String,
    pub member: String,
    /// The two arguments of a question for a property.
    pub interface: String,
    pub property: String,
}

pub(crate) enum Answer {
    /// The signature of the body, and the body.
    Body(&'static str, Vec<u8>),
    Error(String),
}

impl Answer {
    /// A property's value.
    pub(crate) fn text(text: &str) -> Self {
        let mut body = Vec::new();
        write_signature("s", &mut body);
        write_text(text, &mut body);
        Self::Body("v", body)
    }

    pub(crate) fn bool(value: bool) -> Self {
        Self::fixed("b", &u32::from(value).to_le_bytes())
    }

    pub(crate) fn u32(value: u32) -> Self {
        Self::fixed("u", &value.to_le_bytes())
    }

    pub(crate) fn u64(value: u64) -> Self {
        Self::fixed("t", &value.to_le_bytes())
    }

    fn fixed(kind: &str, bytes: &[u8]) -> Self {
        let mut body = Vec::new();
        write_signature(kind, &mut body);
        pad(&mut body, bytes.len());
        body.extend_from_slice(bytes);
        Self::Body("v", body)
    }

    /// An array of structs; each field is a text, or a number where the signature has `u`.
    pub(crate) fn structs(signature: &'static str, rows: &[Vec<&str>]) -> Self {
        let kinds = signature.strip_prefix("a(").unwrap().strip_suffix(')').unwrap();
        let mut array = Vec::new();
        for row in rows {
            pad(&mut array, 8);
            for (kind, field) in kinds.chars().zip(row) {
                if kind == 'u' {
                    pad(&mut array, 4);
                    array.extend_from_slice(&field.parse::<u32>().unwrap().to_le_bytes());
                } else {
                    write_text(field, &mut array);
                }
            }
        }
        let mut body = length(&array).to_le_bytes().to_vec();
        pad(&mut body, 8);
        body.extend_from_slice(&array);
        Self::Body(signature, body)
    }
}

pub(crate) struct Server {
    folder: tempfile::TempDir,
    connections: Arc<Mutex<Vec<UnixStream>>>,
    silent: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn place(&self, bus: bool) -> Place {
        Place::new(&self.folder.path().join("socket"), bus).unwrap()
    }

    pub(crate) fn hang_up(&self) {
        for stream in self.connections.lock().unwrap().drain(..) {
            stream.shutdown(std::net::Shutdown::Both).unwrap();
        }
    }

    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }
}

/// Serves until the test ends.
pub(crate) fn serve(rule: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
    let server = Server { folder, connections: Arc::default(), silent: Arc::default() };
    let (connections, silent) = (Arc::clone(&server.connections), Arc::clone(&server.silent));
    let rule = Arc::new(rule);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            connections.lock().unwrap().push(stream.try_clone().unwrap());
            let (rule, silent) = (Arc::clone(&rule), Arc::clone(&silent));
            std::thread::spawn(move || talk(stream, &*rule, &silent));
        }
    });
    server
}

fn talk(mut stream: UnixStream, rule: &dyn Fn(&Asked) -> Answer, silent: &AtomicBool) {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    assert!(line.starts_with(b"\0AUTH EXTERNAL "), "{line:?}");
    stream.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").unwrap();
    let mut begin = [0; 7];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"BEGIN\r\n");
    while let Some((serial, asked)) = read(&mut stream) {
        if silent.load(Ordering::Relaxed) {
            continue;
        }
        let answer = if asked.member == "Hello" { Answer::text(":1.1") } else { rule(&asked) };
        // A signal between two answers is nothing to a client that did not ask for it.
        let written = stream
            .write_all(&message(4, "", "", &[], 0))
            .and_then(|()| stream.write_all(&encode(&answer, serial)));
        if written.is_err() {
            return;
        }
    }
}

fn read(stream: &mut UnixStream) -> Option<(u32, Asked)> {
    let mut bytes = vec![0; HEAD];
    stream.read_exact(&mut bytes).ok()?;
    let serial = u32::from_le_bytes(bytes[8..12].try_into().unwrap());
    let head = Head::parse(&bytes).unwrap();
    bytes.resize(head.whole, 0);
    stream.read_exact(&mut bytes[HEAD..]).ok()?;
    let message = Message::parse(head, bytes).unwrap();
    let text = |code| {
        let found = message.texts.iter().find(|(found, _)| *found == code);
        found.map_or_else(String::new, |(_, text)| text.clone())
    };
    let (path, member) = (text(1), text(3));
    let reply = message.into_reply();
    let mut arguments = reply.reader();
    let mut next = || arguments.text().unwrap_or_default().to_owned();
    Some((serial, Asked { path, member, interface: next(), property: next() }))
}

fn encode(answer: &Answer, serial: u32) -> Vec<u8> {
    match answer {
        Answer::Body(signature, body) => message(2, "", signature, body, serial),
        Answer::Error(name) => {
            let mut body = Vec::new();
            write_text("as the test wants it", &mut body);
            message(3, name, "s", &body, serial)
        }
    }
}

fn message(kind: u8, error: &str, signature: &str, body: &[u8], reply_to: u32) -> Vec<u8> {
    let mut fields = Vec::new();
    if !error.is_empty() {
        write_field(4, "s", error, &mut fields);
    }
    if reply_to > 0 {
        pad(&mut fields, 8);
        fields.push(5);
        write_signature("u", &mut fields);
        fields.extend_from_slice(&reply_to.to_le_bytes());
    }
    if !signature.is_empty() {
        write_field(8, "g", signature, &mut fields);
    }
    let mut out = vec![b'l', kind, 1, 1];
    for number in [length(body), 1, length(&fields)] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    pad(&mut fields, 8);
    out.extend_from_slice(&fields);
    out.extend_from_slice(body);
    out
}
