//! Speed and duplex of all links by one dump of ethtool's generic netlink (kernel 5.6 and later,
//! Documentation/networking/ethtool-netlink.rst).

use std::io;

use super::generic::Generic;
use super::message::{Attributes, u32_of};

/// `ETHTOOL_MSG_LINKMODES_GET`; its attributes are `ETHTOOL_A_LINKMODES_…` and `ETHTOOL_A_HEADER_…`.
const GET_LINK_MODES: [u8; 4] = [4, 1, 0, 0];
const HEADER: u16 = 1;
const HEADER_INDEX: u16 = 1;
const HEADER_FLAGS: u16 = 3;
const COMPACT_BITSETS: u32 = 1;
const SPEED: u16 = 5;
const DUPLEX: u16 = 6;
const NESTED: u16 = 0x8000;

/// What a driver says of a link.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkMode {
    pub index: u32,
    /// Megabits per second; `None` where the driver does not know.
    pub speed: Option<u32>,
    /// `Half`, `Full` or `Unknown`.
    pub duplex: &'static str,
}

/// Asks ethtool for the modes of all links.
#[derive(Debug)]
pub struct LinkModes {
    ethtool: Generic,
    modes: Vec<LinkMode>,
}

impl Default for LinkModes {
    fn default() -> Self {
        Self { ethtool: Generic::new("ethtool"), modes: Vec::new() }
    }
}

impl LinkModes {
    /// Reads the modes of the links whose drivers tell them. `NotFound` where the kernel has no such family.
    pub fn read(&mut self) -> io::Result<&[LinkMode]> {
        let modes = &mut self.modes;
        self.ethtool.dump(&question(), |message| match message {
            None => modes.clear(),
            Some(attributes) => modes.extend(parse(attributes)),
        })?;
        Ok(&self.modes)
    }

    /// What the latest reading gave.
    pub fn latest(&self) -> &[LinkMode] {
        &self.modes
    }
}

/// The message's header, then a nested attribute that asks for short answers.
fn question() -> [u8; 16] {
    let mut body = [0; 16];
    body[..4].copy_from_slice(&GET_LINK_MODES);
    body[4..6].copy_from_slice(&12_u16.to_ne_bytes());
    body[6..8].copy_from_slice(&(NESTED | HEADER).to_ne_bytes());
    body[8..10].copy_from_slice(&8_u16.to_ne_bytes());
    body[10..12].copy_from_slice(&HEADER_FLAGS.to_ne_bytes());
    body[12..].copy_from_slice(&COMPACT_BITSETS.to_ne_bytes());
    body
}

/// `None` for a message that names no link.
fn parse(attributes: Attributes<'_>) -> Option<LinkMode> {
    let mut mode = LinkMode::default();
    for (kind, value) in attributes {
        match kind {
            HEADER => {
                let mut header = Attributes::new(value);
                let (_, index) = header.find(|(kind, _)| *kind == HEADER_INDEX)?;
                mode.index = u32_of(index)?;
            }
            // SPEED_UNKNOWN is -1.
            SPEED => mode.speed = u32_of(value).filter(|&speed| i32::try_from(speed).is_ok()),
            DUPLEX => {
                mode.duplex = match value.first() {
                    Some(0) => "Half",
                    Some(1) => "Full",
                    _ => "Unknown",
                };
            }
            _ => {}
        }
    }
    (mode.index > 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute_bytes as attribute;
    use proptest::prelude::*;

    fn answer(speed: u32, duplex: u8) -> Vec<u8> {
        let index = attribute(HEADER_INDEX, &7_u32.to_ne_bytes());
        [
            attribute(NESTED | HEADER, &index),
            attribute(SPEED, &speed.to_ne_bytes()),
            attribute(DUPLEX, &[duplex]),
        ]
        .concat()
    }

    #[test]
    fn a_driver_that_does_not_know_its_speed_gives_none() {
        let known = LinkMode { index: 7, speed: Some(10_000), duplex: "Full" };
        assert_eq!(parse(Attributes::new(&answer(10_000, 1))), Some(known));
        let unknown = LinkMode { index: 7, speed: None, duplex: "Unknown" };
        assert_eq!(parse(Attributes::new(&answer(u32::MAX, 255))), Some(unknown));
        assert_eq!(parse(Attributes::new(&[])), None);
    }

    #[test]
    fn the_live_kernel_answers_or_says_why_not() {
        let mut modes = LinkModes::default();
        for _ in 0..2 {
            match modes.read() {
                Ok(modes) => assert!(modes.iter().all(|mode| !mode.duplex.is_empty())),
                Err(error) => assert!(error.kind() == io::ErrorKind::NotFound, "{error}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            let _mode = parse(Attributes::new(&body));
        }
    }
}
