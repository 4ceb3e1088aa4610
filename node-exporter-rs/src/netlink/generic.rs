//! Generic netlink: families of the kernel that are found by their names (Documentation/userspace-api/netlink/intro.rst).

use std::io;

use super::message::Attributes;
use super::{Client, Request, Step};

/// `GENL_ID_CTRL`, the family that knows the others; its attributes are `CTRL_ATTR_…`.
const CONTROL: u16 = 0x10;
const GET_FAMILY: [u8; 4] = [3, 1, 0, 0];
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `struct genlmsghdr`: command, version, two reserved bytes.
const HEADER: usize = 4;

/// A family, asked by dumps.
#[derive(Debug)]
pub(super) struct Generic {
    client: Client,
    name: &'static str,
    /// The family's number, once it is known; it stays.
    id: Option<u16>,
}

impl Generic {
    pub(super) fn new(name: &'static str) -> Self {
        Self { client: Client::generic(), name, id: None }
    }

    /// Hands out the attributes of a dump's messages. `NotFound` where the kernel has no such family.
    ///
    /// `question` is the command, its version 1, two zeroes, and the attributes that narrow the dump.
    pub(super) fn dump(
        &mut self,
        question: &[u8],
        mut each: impl FnMut(Option<Attributes<'_>>),
    ) -> io::Result<()> {
        let id = match self.id {
            Some(id) => id,
            None => self.find()?,
        };
        self.id = Some(id);
        self.client.dump(Request::new(id, question), |step| match step {
            Step::Begin => each(None),
            Step::Message(body) => each(Some(attributes(body))),
        })
    }

    fn find(&mut self) -> io::Result<u16> {
        let mut found = None;
        self.client.dump(Request::new(CONTROL, &GET_FAMILY), |step| {
            if let Step::Message(body) = step {
                let of = |wanted| attributes(body).find(|(kind, _)| *kind == wanted);
                let name = of(FAMILY_NAME).and_then(|(_, name)| name.strip_suffix(b"\0"));
                if name == Some(self.name.as_bytes()) {
                    let id = of(FAMILY_ID).and_then(|(_, id)| id.first_chunk().copied());
                    found = id.map(u16::from_ne_bytes);
                }
            }
        })?;
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn attributes(body: &[u8]) -> Attributes<'_> {
    Attributes::new(body.get(HEADER..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_kernel_finds_its_control_family_and_no_other_name() {
        let mut control = Generic::new("nlctrl");
        let mut messages = 0;
        for _ in 0..2 {
            control.dump(&GET_FAMILY, |found| messages += usize::from(found.is_some())).unwrap();
        }
        assert!(messages > 0 && control.id == Some(CONTROL));
        let error = Generic::new("nlctr").dump(&GET_FAMILY, |_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
