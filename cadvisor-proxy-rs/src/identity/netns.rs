//! The address of a process's network, read from outside: neither a network plugin nor a runtime has to be asked.

use std::fs::{File, read_link};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use memchr::memmem;

/// Files of a pod's network are a few kilobytes; longer ones are not a pod's.
const LIMIT: u64 = 256 << 10;

/// What `/proc/PID` tells of a container's first process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// That of the host.
    Host,
    /// One of its own, with this address.
    Own(IpAddr),
    /// One of its own without an address, or with several of which none is the pod's for sure.
    Unclear,
}

/// Processes as `--path.procfs` shows them.
#[derive(Clone, Debug)]
pub(super) struct Processes {
    root: PathBuf,
}

impl Processes {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// True where the process runs and is of this container. Without the host's pid namespace a number is another
    /// process's.
    pub(super) fn is_of(&self, pid: u32, container: &str) -> bool {
        let cgroup = self.read(pid, "cgroup");
        cgroup.is_some_and(|text| memmem::find(text.as_bytes(), container.as_bytes()).is_some())
    }

    /// `None` where it cannot be read.
    pub(super) fn network(&self, pid: u32) -> Option<Network> {
        let namespace = |process: &str| read_link(self.root.join(process).join("ns/net")).ok();
        // Where the first process is beyond us, we are taken for one in the host's network, as agents are.
        let host = namespace("1").or_else(|| namespace("self"))?;
        if namespace(&pid.to_string())? == host {
            return Some(Network::Host);
        }
        let mut found = v4(&self.read(pid, "net/fib_trie")?);
        if found.is_empty() {
            found = v6(&self.read(pid, "net/if_inet6").unwrap_or_default());
        }
        Some(match found.as_slice() {
            [address] => Network::Own(*address),
            _ => Network::Unclear,
        })
    }

    fn path(&self, pid: u32, file: &str) -> PathBuf {
        self.root.join(pid.to_string()).join(file)
    }

    fn read(&self, pid: u32, file: &str) -> Option<String> {
        let mut text = String::new();
        let file = File::open(self.path(pid, file)).ok()?;
        let read = file.take(LIMIT).read_to_string(&mut text).ok()?;
        (read as u64 != LIMIT).then_some(text)
    }
}

/// Own addresses in `net/fib_trie`: each `|-- ADDRESS` that is followed by `/32 host LOCAL`. Loopback and link-local ones
/// are nobody's.
fn v4(text: &str) -> Vec<IpAddr> {
    let mut last: Option<Ipv4Addr> = None;
    let mut found: Vec<IpAddr> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = last.filter(|a| !a.is_loopback() && !a.is_link_local())
            && !found.contains(&address.into())
        {
            found.push(address.into());
        }
    }
    found
}

/// Global addresses in `net/if_inet6`: 32 hexadecimal digits, index, prefix, scope (0 is global), flags, device.
fn v6(text: &str) -> Vec<IpAddr> {
    let parse = |line: &str| {
        let mut columns = line.split_ascii_whitespace();
        let address = columns.next().filter(|digits| digits.len() == 32)?;
        let scope = columns.nth(2)?;
        let device = columns.nth(1)?;
        let address = Ipv6Addr::from_bits(u128::from_str_radix(address, 16).ok()?);
        (scope == "00" && device != "lo").then_some(IpAddr::V6(address))
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.244.1.0/24 2 0 2
        +-- 10.244.1.0/27 2 0 2
           |-- 10.244.1.0
              /24 link UNICAST
           |-- 10.244.1.17
              /32 host LOCAL
        |-- 10.244.1.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
Local:
           |-- 10.244.1.17
              /32 host LOCAL
";

    #[test]
    fn a_pods_only_address_is_found_once() {
        assert_eq!(v4(POD), ["10.244.1.17".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn several_addresses_are_all_told_and_noise_is_none() {
        let two =
            format!("{POD}  |-- 192.168.9.2\n /32 host LOCAL\n |-- 169.254.1.1\n /32 host LOCAL\n");
        assert_eq!(v4(&two).len(), 2);
        assert!(v4("/32 host LOCAL\n|-- x\n/32 host LOCAL\n").is_empty());
    }

    #[test]
    fn a_global_address_of_version_six_is_found() {
        let text = "\
00000000000000000000000000000001 01 80 10 80       lo
fe800000000000004c1f0afffe1d6c52 03 40 20 80     eth0
fd000000000000000000000000000011 03 40 00 80     eth0
short
";
        assert_eq!(v6(text), ["fd00::11".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn a_process_is_of_the_container_that_its_cgroup_names() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("7/net")).unwrap();
        std::fs::write(folder.path().join("7/cgroup"), "0::/docker/abc\n").unwrap();
        let processes = Processes::new(folder.path());
        assert!(processes.is_of(7, "abc"));
        assert!(!processes.is_of(7, "abd") && !processes.is_of(8, "abc"));
        assert_eq!(processes.network(7), None);
    }

    #[test]
    fn this_very_process_is_not_taken_for_a_pod() {
        let own = Processes::new(Path::new("/proc")).network(std::process::id());
        assert!(!matches!(own, Some(Network::Own(address)) if address.is_loopback()));
    }
}
