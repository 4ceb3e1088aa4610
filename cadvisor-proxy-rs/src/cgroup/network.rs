//! Interfaces of a process's network, from `/proc/PID/net/dev`.

use super::parse::{lines, number, split, words};

/// A node that runs many pods has some hundred; further ones are left out.
const MOST: usize = 4096;
/// `IFNAMSIZ` of linux/if.h, with the zero at the end.
const NAME: usize = 16;

/// One interface and its counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Interface {
    name: [u8; NAME],
    length: u8,
    /// Received, then sent: bytes, packets, errors, dropped.
    pub(super) counts: [u64; 8],
}

impl Interface {
    pub(super) fn name(&self) -> &[u8] {
        self.name.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Those that are the host's ends of containers' networks, or no way out, are nobody's traffic: cAdvisor leaves them out.
fn is_ignored(name: &[u8]) -> bool {
    ["lo", "veth", "docker", "nerdctl"].iter().any(|prefix| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    })
}

/// Adds what a text tells; a line that is not as expected is left out.
pub(super) fn parse(text: &[u8], out: &mut Vec<Interface>) {
    // Two lines of headings come first.
    for line in lines(text).skip(2).take(MOST) {
        let Some((name, rest)) = split(line, b':') else { continue };
        let name = name.trim_ascii();
        let Ok(length) = u8::try_from(name.len()) else { continue };
        if name.is_empty() || name.len() > NAME || is_ignored(name) {
            continue;
        }
        let mut interface = Interface { length, ..Interface::default() };
        interface.name.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        let mut columns = words(rest).map(number);
        let mut taken = 0;
        // Four of eight columns for each direction.
        for (place, slot) in [0, 1, 2, 3, 8, 9, 10, 11].into_iter().zip(&mut interface.counts) {
            let Some(Some(value)) = columns.nth(place - taken) else { break };
            (*slot, taken) = (value, place + 1);
        }
        if taken == 12 {
            out.push(interface);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    656       8    1    2    0     0          0         0       70       3    4    5    0     0       0          0
veth12a: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9
 short: 1 2 3
cali0:1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0
";

    #[test]
    fn interfaces_of_containers_are_told_and_the_hosts_ends_are_not() {
        let mut found = Vec::new();
        parse(TEXT, &mut found);
        let names: Vec<&[u8]> = found.iter().map(Interface::name).collect();
        assert_eq!(names, [&b"eth0"[..], b"cali0"]);
        assert_eq!(found[0].counts, [656, 8, 1, 2, 70, 3, 4, 5]);
        assert_eq!(found[1].counts, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "(\n[a-z0-9]{0,20}:?( ?[0-9]{0,3}){0,20}){0,6}") {
            let mut found = Vec::new();
            parse(text.as_bytes(), &mut found);
            proptest::prop_assert!(found.iter().all(|one| !one.name().is_empty()));
        }
    }
}
