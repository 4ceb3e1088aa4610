//! The bytes of D-Bus: calls as we write them, answers as they come. Every value is aligned to its size, counted from the
//! message's first byte. Whatever the bytes, nothing here panics.

use std::io;

/// The part of a message that tells how long the rest is.
pub(super) const HEAD: usize = 16;
/// More than the list of ten thousand units.
const LONGEST: usize = 16 << 20;

const CALL: u8 = 1;
/// `NO_AUTO_START`: who only looks starts no service.
const FLAGS: u8 = 2;
const VERSION: u8 = 1;

/// A question to an object of a service.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub service: &'a str,
    pub path: &'a str,
    pub ask: Ask<'a>,
}

#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// A method without arguments.
    Method {
        interface: &'a str,
        member: &'a str,
    },
    Property {
        interface: &'a str,
        name: &'a str,
    },
}

/// Appends a message: a call in little-endian numbers.
pub(super) fn write_call(call: &Call<'_>, serial: u32, out: &mut Vec<u8>) {
    let (interface, member, arguments) = match call.ask {
        Ask::Method { interface, member } => (interface, member, None),
        Ask::Property { interface, name } => {
            ("org.freedesktop.DBus.Properties", "Get", Some([interface, name]))
        }
    };
    let mut body = Vec::new();
    for argument in arguments.iter().flatten() {
        write_text(argument, &mut body);
    }
    let mut fields = Vec::new();
    write_field(1, "o", call.path, &mut fields);
    write_field(2, "s", interface, &mut fields);
    write_field(3, "s", member, &mut fields);
    write_field(6, "s", call.service, &mut fields);
    if arguments.is_some() {
        write_field(8, "g", "ss", &mut fields);
    }
    out.extend_from_slice(&[b'l', CALL, FLAGS, VERSION]);
    for number in [length(&body), serial, length(&fields)] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    pad(&mut fields, 8);
    out.extend_from_slice(&fields);
    out.extend_from_slice(&body);
}

/// A field of the header: its number, its type, its value.
pub(super) fn write_field(code: u8, kind: &str, value: &str, out: &mut Vec<u8>) {
    pad(out, 8);
    out.push(code);
    write_signature(kind, out);
    if kind == "g" {
        write_signature(value, out);
    } else {
        write_text(value, out);
    }
}

pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    pad(out, 4);
    out.extend_from_slice(&length(text.as_bytes()).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

pub(super) fn write_signature(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

pub(super) fn pad(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

pub(super) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Call,
    Return,
    Error,
    Other,
}

/// What a message's first bytes say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    big_endian: bool,
    kind: Kind,
    /// Where the header's fields end, and the body begins.
    fields: usize,
    body: usize,
    pub(super) whole: usize,
}

impl Head {
    /// `bytes` are at least [`HEAD`].
    pub(super) fn parse(bytes: &[u8]) -> io::Result<Self> {
        let wrong = || io::Error::other("D-Bus: not a message");
        let big_endian = match bytes.first() {
            Some(b'l') => false,
            Some(b'B') => true,
            _ => return Err(wrong()),
        };
        let kind = match bytes.get(1) {
            Some(1) => Kind::Call,
            Some(2) => Kind::Return,
            Some(3) => Kind::Error,
            _ => Kind::Other,
        };
        let number = |at| Reader { bytes, at, big_endian }.u32().map(|it| it as usize);
        let body = number(4).filter(|&length| length <= LONGEST).ok_or_else(wrong)?;
        let fields = number(12).filter(|&length| length <= LONGEST).ok_or_else(wrong)? + HEAD;
        let start = fields.next_multiple_of(8);
        Ok(Self { big_endian, kind, fields, body: start, whole: start + body })
    }
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The number of the call that it answers.
    pub(super) reply_to: Option<u32>,
    /// The header's texts by their codes, of which the last are error names.
    pub(super) texts: Vec<(u8, String)>,
    big_endian: bool,
    body: Vec<u8>,
}

impl Message {
    /// `bytes` are as many as the head says.
    pub(super) fn parse(head: Head, mut bytes: Vec<u8>) -> io::Result<Self> {
        let body = bytes.split_off(head.body.min(bytes.len()));
        bytes.truncate(head.fields);
        let mut reader = Reader { bytes: &bytes, at: HEAD, big_endian: head.big_endian };
        let (mut reply_to, mut texts) = (None, Vec::new());
        while reader.at < bytes.len() {
            let field = reader.field();
            match field.ok_or_else(|| io::Error::other("D-Bus: a malformed header"))? {
                (5, Value::Number(serial)) => reply_to = u32::try_from(serial).ok(),
                (code, Value::Text(text)) => texts.push((code, text.to_owned())),
                _ => {}
            }
        }
        Ok(Self { kind: head.kind, reply_to, texts, big_endian: head.big_endian, body })
    }

    pub(super) fn into_reply(self) -> Reply {
        Reply { body: self.body, big_endian: self.big_endian }
    }

    /// The error's name, and its first argument, which says what is wrong.
    pub(super) fn into_error(self) -> io::Error {
        const ERROR_NAME: u8 = 4;
        let name = self.texts.iter().find(|(code, _)| *code == ERROR_NAME);
        let name = name.map_or("D-Bus error", |(_, name)| name).to_owned();
        let reply = self.into_reply();
        let text: String = reply.reader().text().unwrap_or_default().chars().take(200).collect();
        io::Error::other(format!("{name}: {text}"))
    }
}

/// The arguments of an answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    body: Vec<u8>,
    big_endian: bool,
}

impl Reply {
    pub fn reader(&self) -> Reader<'_> {
        Reader { bytes: &self.body, at: 0, big_endian: self.big_endian }
    }
}

/// What a variant holds, of the types that are of use here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Value<'a> {
    Text(&'a str),
    Number(u64),
    Bool(bool),
}

/// Takes values off a message, one after another; `None` where there is no such value.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..)?.get(..count)?;
        self.at += count;
        Some(taken)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.align(4);
        let bytes = *self.take(4)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u64(&mut self) -> Option<u64> {
        self.align(8);
        let bytes = *self.take(8)?.first_chunk()?;
        Some(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// A text, or an object's path.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.u32()?).ok()?;
        let text = self.take(length)?;
        self.take(1)?;
        std::str::from_utf8(text).ok()
    }

    fn signature(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(*self.take(1)?.first()?);
        let signature = self.take(length)?;
        self.take(1)?;
        Some(signature)
    }

    pub fn variant(&mut self) -> Option<Value<'a>> {
        Some(match self.signature()? {
            b"s" | b"o" => Value::Text(self.text()?),
            b"g" => Value::Text(std::str::from_utf8(self.signature()?).ok()?),
            b"u" => Value::Number(self.u32()?.into()),
            b"t" => Value::Number(self.u64()?),
            b"b" => Value::Bool(self.u32()? != 0),
            _ => return None,
        })
    }

    /// An array of structs, each of which `each` takes; `None` where one of them is malformed.
    pub fn structs(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.align(8);
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len())?;
        while self.at < end {
            self.align(8);
            each(self)?;
        }
        Some(())
    }

    /// A field of the header: its code and its value.
    fn field(&mut self) -> Option<(u8, Value<'a>)> {
        self.align(8);
        let code = *self.take(1)?.first()?;
        Some((code, self.variant()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As dbus-monitor shows it of a call by another client.
    const GET: &[u8] = b"l\x01\x02\x01\x0f\0\0\0\x07\0\0\0\x83\0\0\0\
        \x01\x01o\0\x02\0\0\0/a\0\0\0\0\0\0\
        \x02\x01s\0\x1f\0\0\0org.freedesktop.DBus.Properties\0\
        \x03\x01s\0\x03\0\0\0Get\0\0\0\0\0\
        \x06\x01s\0\x03\0\0\0b.c\0\0\0\0\0\
        \x08\x01g\0\x02ss\0";

    #[test]
    fn a_call_is_written_as_the_specification_has_it() {
        let mut out = Vec::new();
        let ask = Ask::Property { interface: "d", name: "ef" };
        write_call(&Call { service: "b.c", path: "/a", ask }, 7, &mut out);
        let body = b"\x01\0\0\0d\0\0\0\x02\0\0\0ef\0";
        let mut due = GET.to_vec();
        // The fields' length, less the padding behind them.
        due[12] = u8::try_from(due.len() - HEAD).unwrap();
        due.resize(due.len().next_multiple_of(8), 0);
        due.extend_from_slice(body);
        assert_eq!(out, due);
    }

    #[test]
    fn an_answer_in_big_endian_numbers_is_read_too() {
        let mut bytes =
            b"B\x02\x01\x01\0\0\0\x08\0\0\0\x09\0\0\0\x08\x05\x01u\0\0\0\0\x07".to_vec();
        bytes.extend(b"\x01u\0\0\0\0\x01\x02");
        let head = Head::parse(&bytes).unwrap();
        assert_eq!(head.whole, bytes.len());
        let message = Message::parse(head, bytes).unwrap();
        assert_eq!((message.kind, message.reply_to), (Kind::Return, Some(7)));
        assert_eq!(message.into_reply().reader().variant(), Some(Value::Number(0x102)));
    }

    #[test]
    fn a_message_that_is_too_long_is_refused() {
        let bytes = b"l\x02\x01\x01\xff\xff\xff\x7f\x09\0\0\0\x08\0\0\0";
        assert!(Head::parse(bytes).is_err());
        assert!(Head::parse(b"HTTP/1.0 400 Bad").is_err());
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(rest in proptest::collection::vec(any::<u8>(), 16..80), length in 0_u8..64) {
            let mut bytes = rest;
            bytes[..8].copy_from_slice(&[b'l', 2, 0, 1, length, 0, 0, 0]);
            bytes[12..16].copy_from_slice(&[length / 2, 0, 0, 0]);
            let head = Head::parse(&bytes).unwrap();
            bytes.resize(head.whole, 0);
            if let Ok(message) = Message::parse(head, bytes) {
                let reply = message.into_reply();
                let _values = (reply.reader().variant(), reply.reader().text());
                let _structs = reply.reader().structs(|one| one.text().map(drop));
            }
        }
    }
}
