//! Answers that are too large to be held: their bodies are handed on as they come.

use std::io::{Read, Write};

use super::{Connection, Error, Request, Response};

/// Takes the next bytes of a body.
type Sink<'a> = &'a mut dyn FnMut(&[u8]);

impl Connection {
    /// Sends the request and hands its answer's body on, less the transfer coding. The returned answer has no body.
    pub fn stream(&mut self, request: &Request, sink: Sink<'_>) -> Result<Response, Error> {
        let no_answer = |error| Error::NoAnswer(request.address, error);
        let mut stream = match self.0.take() {
            Some(stream) => stream,
            None => request.connect()?,
        };
        stream.write_all(&request.bytes("")).map_err(no_answer)?;
        let mut part = vec![0; 256 << 10];
        let mut next = |part: &mut [u8]| match stream.read(part) {
            Ok(0) => Err(Error::Cut("the connection was closed")),
            Ok(count) => Ok(count),
            Err(error) => Err(no_answer(error)),
        };
        let (mut head, mut length) = (Vec::new(), None);
        while length.is_none() {
            let count = next(&mut part)?;
            head.extend_from_slice(part.get(..count).unwrap_or_default());
            length = head.windows(4).position(|four| four == b"\r\n\r\n");
        }
        let rest = head.split_off(length.unwrap_or(0) + 4);
        let response = Response::head(&head)?;
        let mut body = Body::of(&response)?;
        let mut whole = body.take(&rest, sink)?;
        while !whole {
            let count = next(&mut part)?;
            whole = body.take(part.get(..count).unwrap_or_default(), sink)?;
        }
        self.0 = Some(stream);
        Ok(response)
    }
}

/// What is still to come of a body.
enum Body {
    Plain { left: u64 },
    Chunked(Chunks),
}

/// RFC 9112, section 7.1.
#[derive(Default)]
struct Chunks {
    /// Of the chunk that is being read.
    left: u64,
    /// The line that is being read between two chunks, as far as it came.
    line: Vec<u8>,
    /// The empty chunk has come: an empty line ends the body.
    last: bool,
}

impl Body {
    fn of(response: &Response) -> Result<Self, Error> {
        if response.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            return Ok(Self::Chunked(Chunks::default()));
        }
        let length = response.header("content-length").and_then(|length| length.parse().ok());
        let left = length.ok_or_else(|| Error::Malformed("no length".to_owned()))?;
        Ok(Self::Plain { left })
    }

    /// Takes the next bytes; true where the body ends with them.
    fn take(&mut self, part: &[u8], sink: Sink<'_>) -> Result<bool, Error> {
        match self {
            Self::Plain { left } => {
                give(left, part, sink);
                Ok(*left == 0)
            }
            Self::Chunked(chunks) => chunks.take(part, sink),
        }
    }
}

impl Chunks {
    fn take(&mut self, mut part: &[u8], sink: Sink<'_>) -> Result<bool, Error> {
        while !part.is_empty() {
            if self.left > 0 {
                part = give(&mut self.left, part, sink);
                continue;
            }
            let end = part.iter().position(|byte| *byte == b'\n').map_or(part.len(), |at| at + 1);
            let (head, rest) = part.split_at(end);
            self.line.extend_from_slice(head);
            part = rest;
            if self.line.ends_with(b"\n") && self.line()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads a whole line; true where it is the last one.
    fn line(&mut self) -> Result<bool, Error> {
        let line = std::mem::take(&mut self.line);
        match line.trim_ascii() {
            b"" => return Ok(self.last),
            line => self.left = size(line)?,
        }
        self.last = self.left == 0;
        Ok(false)
    }
}

/// Hands on what belongs to the data, and returns what does not.
fn give<'p>(left: &mut u64, part: &'p [u8], sink: Sink<'_>) -> &'p [u8] {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(part.len());
    let (data, rest) = part.split_at(count);
    sink(data);
    *left -= data.len() as u64;
    rest
}

fn size(line: &[u8]) -> Result<u64, Error> {
    let text = String::from_utf8_lossy(line);
    let size = text.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(size, 16).map_err(|_| Error::Malformed(format!("chunk size {size:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_the_same_wherever_it_is_cut() {
        let text = b"3\r\nabc\r\n0000000A;x=y\r\n0123456789\r\n0\r\n\r\n";
        for cut in 0..text.len() {
            let mut body = Body::Chunked(Chunks::default());
            let mut out = Vec::new();
            let (first, second) = text.split_at(cut);
            let mut sink = |data: &[u8]| out.extend_from_slice(data);
            assert!(!body.take(first, &mut sink).unwrap(), "{cut}");
            assert!(body.take(second, &mut sink).unwrap(), "{cut}");
            assert_eq!(out, b"abc0123456789", "{cut}");
        }
    }
}
