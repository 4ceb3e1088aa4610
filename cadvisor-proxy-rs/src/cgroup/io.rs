//! Bytes and requests of block devices.

use super::at::{At, Gone};
use super::hierarchy::Controller;
use super::kept::{Access, Kept};
use super::parse::{device, lines, number, split, words};

/// A host has some hundred devices at most; further ones are left out.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Files {
    bytes: Kept,
    requests: Kept,
}

impl Files {
    pub(super) fn retry(&mut self) {
        self.bytes.retry();
        self.requests.retry();
    }
}

/// Kinds of requests as cAdvisor calls them; v2 tells Read, Write and Discard alone.
pub(super) const OPERATIONS: [&str; 6] = ["Read", "Write", "Sync", "Async", "Discard", "Total"];
pub(super) const READ: usize = 0;
pub(super) const WRITE: usize = 1;
const DISCARD: usize = 4;

type ByOperation = [Option<u64>; OPERATIONS.len()];

/// What a cgroup did with one device.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Device {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) bytes: ByOperation,
    pub(super) requests: ByOperation,
}

/// Adds the devices behind what is there.
pub(super) fn read(
    files: &mut Files,
    access: &mut Access,
    at: &At<'_>,
    out: &mut Vec<Device>,
) -> Result<(), Gone> {
    let Some(tree) = at.tree(Controller::Io) else { return Ok(()) };
    let start = out.len();
    if tree.v2 {
        if let Some(text) = at.read(access, &mut files.bytes, tree, "io.stat")? {
            stat(text, start, out);
        }
        return Ok(());
    }
    let name = "blkio.throttle.io_service_bytes_recursive";
    if let Some(text) = at.read(access, &mut files.bytes, tree, name)? {
        throttle(text, start, out, |device| &mut device.bytes);
    }
    let name = "blkio.throttle.io_serviced_recursive";
    if let Some(text) = at.read(access, &mut files.requests, tree, name)? {
        throttle(text, start, out, |device| &mut device.requests);
    }
    Ok(())
}

/// The device of these numbers among those behind `start`, which is added where it is missing.
fn entry(numbers: (u32, u32), start: usize, out: &mut Vec<Device>) -> Option<&mut Device> {
    let known = out.get(start..)?.iter().position(|one| (one.major, one.minor) == numbers);
    let at = match known {
        Some(at) => start + at,
        None if out.len() - start < MOST => {
            out.push(Device { major: numbers.0, minor: numbers.1, ..Device::default() });
            out.len() - 1
        }
        None => return None,
    };
    out.get_mut(at)
}

/// `io.stat` of v2: `254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`.
fn stat(text: &[u8], start: usize, out: &mut Vec<Device>) {
    for line in lines(text) {
        let mut words = words(line);
        let Some(numbers) = words.next().and_then(device) else { continue };
        for word in words {
            let Some((key, value)) = split(word, b'=') else { continue };
            let Some(value) = number(value) else { continue };
            let (of_bytes, operation) = match key {
                b"rbytes" => (true, READ),
                b"wbytes" => (true, WRITE),
                b"dbytes" => (true, DISCARD),
                b"rios" => (false, READ),
                b"wios" => (false, WRITE),
                b"dios" => (false, DISCARD),
                _ => continue,
            };
            // A line without any of these is of a device that did nothing.
            let Some(device) = entry(numbers, start, out) else { continue };
            let slots = if of_bytes { &mut device.bytes } else { &mut device.requests };
            if let Some(slot) = slots.get_mut(operation) {
                *slot = Some(value);
            }
        }
    }
}

/// `blkio.throttle.*` of v1: `254:0 Read 561152`, and a sum over all devices at the end.
fn throttle(
    text: &[u8],
    start: usize,
    out: &mut Vec<Device>,
    slots: impl Fn(&mut Device) -> &mut ByOperation,
) {
    for line in lines(text) {
        let mut words = words(line);
        let (Some(numbers), Some(word)) = (words.next().and_then(device), words.next()) else {
            continue;
        };
        let Some(value) = words.next().and_then(number) else { continue };
        let Some(at) = OPERATIONS.iter().position(|name| name.as_bytes() == word) else { continue };
        if let Some(device) = entry(numbers, start, out)
            && let Some(slot) = slots(device).get_mut(at)
        {
            *slot = Some(value);
        }
    }
}

pub(super) fn fuzz(text: &[u8]) {
    let mut devices = Vec::new();
    stat(text, 0, &mut devices);
    throttle(text, 0, &mut devices, |device| &mut device.requests);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_tell_bytes_and_requests() {
        let mut v2 = vec![Device { major: 254, ..Device::default() }];
        stat(b"254:0 rbytes=561152 wbytes=0 rios=9 wios=1 dbytes=0 dios=0\n7:0 \nx\n", 1, &mut v2);
        assert_eq!(v2.len(), 2);
        let mut v1 = Vec::new();
        throttle(
            b"254:0 Read 561152\n254:0 Write 0\n254:0 Sync 561152\n254:0 Total 561152\nTotal 561152\n",
            0,
            &mut v1,
            |device| &mut device.bytes,
        );
        throttle(b"254:0 Read 9\n254:0 Write 1\n", 0, &mut v1, |device| &mut device.requests);
        assert_eq!(v1.len(), 1);
        for operation in [READ, WRITE] {
            assert_eq!(v1[0].bytes[operation], v2[1].bytes[operation]);
            assert_eq!(v1[0].requests[operation], v2[1].requests[operation]);
        }
        assert_eq!((v1[0].bytes[2], v2[1].bytes[2]), (Some(561_152), None));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "([0-9:]{1,6} )?((Read|Total|rbytes=|[a-z]{1,4}=?)[ 0-9]{0,4}\n?){0,20}") {
            let mut out = Vec::new();
            stat(text.as_bytes(), 0, &mut out);
            throttle(text.as_bytes(), 0, &mut out, |device| &mut device.bytes);
        }
    }
}
