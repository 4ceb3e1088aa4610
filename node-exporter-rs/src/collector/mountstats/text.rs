//! The text of `/proc/PID/mountstats` (`nfs_show_stats` of the kernel's fs/nfs/super.c, `rpc_clnt_show_stats` of
//! net/sunrpc/stats.c), and the servers' addresses in `/proc/PID/mountinfo`.

use super::tables::{BYTES, OPERATIONS, TIMES};

/// Events that the client counts (`linux/nfs_iostat.h`).
const EVENT_COUNT: usize = 27;
/// A transport's numbers as TCP has them; what another lacks is 0, as the peer has it.
const TRANSPORT_COUNT: usize = 13;
const OPERATION_COUNT: usize = OPERATIONS.len() + TIMES.len();
/// The places of two of the numbers of a transport.
pub(super) const IDLE: usize = 4;
pub(super) const MAXIMUM_SLOTS: usize = 10;

/// Counters of 64 bits that the kernel let run below 0 are cut to what a float holds exactly, as the peer does.
pub(super) fn exact(count: u64) -> u64 {
    count % (1 << f64::MANTISSA_DIGITS)
}

/// A mounted NFS, with names as the kernel writes them: a blank is `\040`.
#[derive(Debug)]
pub(super) struct Mount<'a> {
    pub(super) export: &'a str,
    pub(super) point: &'a str,
    pub(super) fs_type: &'a str,
    pub(super) stats: Stats<'a>,
}

#[derive(Debug, Default)]
pub(super) struct Stats<'a> {
    pub(super) age: Option<u64>,
    pub(super) bytes: Option<[u64; BYTES.len()]>,
    pub(super) events: Option<[u64; EVENT_COUNT]>,
    pub(super) transports: Vec<Transport<'a>>,
    pub(super) operations: Vec<(&'a str, [u64; OPERATION_COUNT])>,
    /// True behind the line that says that operations follow.
    in_operations: bool,
}

#[derive(Debug, PartialEq)]
pub(super) struct Transport<'a> {
    pub(super) protocol: &'a str,
    pub(super) counts: [u64; TRANSPORT_COUNT],
}

/// The NFS mounts of the file, and its first malformed line.
pub(super) fn mounts(text: &str) -> (Vec<Mount<'_>>, Option<&str>) {
    let mut mounts: Vec<Mount<'_>> = Vec::new();
    let (mut malformed, mut of_nfs) = (None, false);
    for line in text.lines() {
        if line.starts_with("device ") || line.starts_with("no device ") {
            let mount = Mount::parse(line);
            of_nfs = mount.is_some();
            mounts.extend(mount);
        } else if let Some(mount) = mounts.last_mut().filter(|_| of_nfs)
            && mount.stats.take(line).is_none()
        {
            malformed = malformed.or(Some(line));
        }
    }
    (mounts, malformed)
}

impl<'a> Mount<'a> {
    /// `device SERVER:/PATH mounted on /POINT with fstype nfs4 statvers=1.1`; `None` for any other file system.
    fn parse(line: &'a str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["device", export, "mounted", "on", point, "with", "fstype", fs_type, _version] =
            *words
        else {
            return None;
        };
        let stats = Stats::default();
        matches!(fs_type, "nfs" | "nfs4").then_some(Self { export, point, fs_type, stats })
    }
}

impl<'a> Stats<'a> {
    /// Takes one line; what it holds is said by its first word. `None` where that is malformed.
    fn take(&mut self, line: &'a str) -> Option<()> {
        let (word, rest) = line.trim_ascii().split_once(char::is_whitespace).unwrap_or((line, ""));
        match word.trim_ascii() {
            "" => self.in_operations = false,
            "per-op" => self.in_operations = true,
            name if self.in_operations => {
                self.operations.push((name.trim_end_matches(':'), numbers(rest)?));
            }
            "age:" => self.age = Some(rest.trim_ascii().parse().ok()?),
            "bytes:" => self.bytes = Some(numbers(rest)?),
            "events:" => self.events = Some(numbers(rest)?),
            "xprt:" => self.transports.push(Transport::parse(rest)?),
            _ => {}
        }
        Some(())
    }
}

impl<'a> Transport<'a> {
    /// `tcp PORT BIND CONNECT CONNECT_IDLE IDLE SENDS RECEIVES BAD_XIDS ACTIVE BACKLOG SLOTS SENDING PENDING`. UDP has no
    /// third to fifth number, RDMA others behind the tenth, and statistics of version 1.0 end with the tenth.
    fn parse(rest: &'a str) -> Option<Self> {
        let mut words = rest.split_ascii_whitespace();
        let protocol = words.next()?;
        let (places, least): (&[usize], usize) = match protocol {
            "tcp" => (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 10),
            "udp" => (&[0, 1, 5, 6, 7, 8, 9, 10, 11, 12], 7),
            "rdma" => (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 10),
            _ => return None,
        };
        let mut counts = [0; TRANSPORT_COUNT];
        let mut found = 0;
        for (place, word) in places.iter().zip(words) {
            counts[*place] = word.parse().ok()?;
            found += 1;
        }
        counts[IDLE] = exact(counts[IDLE]);
        (found >= least).then_some(Self { protocol, counts })
    }
}

/// As many numbers as are wanted; further ones, which newer kernels print, are left.
fn numbers<const N: usize>(text: &str) -> Option<[u64; N]> {
    let mut words = text.split_ascii_whitespace();
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    Some(numbers)
}

/// The addresses of the NFS servers, in the order of the mounts.
pub(super) struct Addresses<'a> {
    mounts: Vec<Address<'a>>,
    /// Both files have the same order: where the next mount is expected.
    next: usize,
}

struct Address<'a> {
    /// Device, mount point and type.
    mount: [&'a str; 3],
    address: &'a str,
}

impl<'a> Addresses<'a> {
    pub(super) fn of(mountinfo: &'a str) -> Self {
        Self { mounts: mountinfo.lines().filter_map(Address::parse).collect(), next: 0 }
    }

    /// The address of a mount; empty where the mount went meanwhile.
    pub(super) fn find(&mut self, mount: &Mount<'_>) -> &'a str {
        let wanted = [mount.export, mount.point, mount.fs_type];
        let (before, after) = self.mounts.split_at(self.next);
        let ahead = after.iter().position(|found| found.mount == wanted).map(|at| self.next + at);
        let found = ahead.or_else(|| before.iter().position(|found| found.mount == wanted));
        let Some(at) = found else { return "" };
        self.next = at + 1;
        self.mounts[at].address
    }
}

impl<'a> Address<'a> {
    /// `36 35 0:42 / /mnt/a rw shared:1 - nfs4 srv:/a rw,addr=192.0.2.7`: the columns before the dash vary in number.
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?;
        let mut right = right.split(' ');
        let (fs_type, device) = (right.next()?, right.next()?);
        let options = right.next()?.split(',');
        let address = options.filter_map(|option| option.strip_prefix("addr=")).next_back();
        fs_type.starts_with("nfs").then_some(Self {
            mount: [device, point, fs_type],
            address: address.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(line: &str) -> Option<[u64; TRANSPORT_COUNT]> {
        Transport::parse(line).map(|transport| transport.counts)
    }

    #[test]
    fn a_transports_numbers_depend_on_its_protocol() {
        let tcp = [832, 0, 1, 0, 11, 6, 7, 0, 12, 0, 24, 26, 57];
        assert_eq!(counts("tcp 832 0 1 0 11 6 7 0 12 0 24 26 57"), Some(tcp));
        let udp = [832, 1, 0, 0, 0, 6, 7, 0, 12, 0, 24, 26, 57];
        assert_eq!(counts("udp 832 1 6 7 0 12 0 24 26 57"), Some(udp));
        let rdma = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0];
        assert_eq!(counts("rdma 0 1 2 3 4 5 6 7 8 9 100 101 102 103 104"), Some(rdma));
        let old = [832, 0, 1, 0, 11, 6, 7, 0, 12, 0, 0, 0, 0];
        assert_eq!(counts("tcp 832 0 1 0 11 6 7 0 12 0"), Some(old));
        for wrong in ["tcp 1 2 3", "udp 1 2 3 4 5 x 7", "carrier 1 2 3 4 5 6 7 8 9 10", ""] {
            assert_eq!(counts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn operations_end_with_an_empty_line() {
        let (mounts, malformed) = mounts(
            "device a mounted on /a with fstype nfs statvers=1.1\n\tper-op statistics\n\
             \t READ: 1 2 3 4 5 6 7 8 9\n\n\tage:\t5\n",
        );
        assert_eq!(malformed, None);
        assert_eq!(mounts[0].stats.operations, [("READ", [1, 2, 3, 4, 5, 6, 7, 8])]);
        assert_eq!(mounts[0].stats.age, Some(5));
    }

    #[test]
    fn lines_of_another_file_system_are_not_those_of_the_nfs_above() {
        let (mounts, malformed) = mounts(
            "device a mounted on /a with fstype nfs statvers=1.1\n\
             device b mounted on /b with fstype other statvers=1.1\n\tage:\t5\n",
        );
        assert_eq!((mounts.len(), mounts[0].stats.age, malformed), (1, None, None));
    }

    #[test]
    fn one_export_mounted_twice_in_one_place_keeps_its_two_addresses() {
        let line =
            |address| format!("1 2 0:4 / /a rw - nfs s:/x rw,mountaddr=192.0.2.9,addr={address}\n");
        let text = line("192.0.2.1") + "2 2 0:5 / / rw - ext4 x rw\n" + &line("192.0.2.2");
        let mut addresses = Addresses::of(&text);
        let mount = |export| Mount { export, point: "/a", fs_type: "nfs", stats: Stats::default() };
        let found = ["s:/x", "gone", "s:/x", "s:/x"].map(|export| addresses.find(&mount(export)));
        assert_eq!(found, ["192.0.2.1", "", "192.0.2.2", "192.0.2.1"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            text in "(device a mounted on /b with fstype nfs v\\n)?((age:|bytes:|events:|xprt: tcp|per-op|x:)?[ 0-9]{0,30}\\PC{0,9}\\n){0,9}"
        ) {
            let _mounts = mounts(&text);
            let _addresses = Addresses::of(&text);
        }
    }
}
