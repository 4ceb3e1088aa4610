//! `SIOCETHTOOL` (`linux/ethtool.h`): netlink tells a driver's own statistics by no message, so this call is still needed.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

const SIOCETHTOOL: libc::Ioctl = 0x8946;
const GET_SETTINGS: u32 = 0x1;
const GET_DRIVER: u32 = 0x3;
const GET_STRINGS: u32 = 0x1b;
const GET_STATISTICS: u32 = 0x1d;
/// `ETH_SS_STATS`, the set of strings that names the statistics.
const STATISTICS: u32 = 1;
/// `ETH_GSTRING_LEN` and `IFNAMSIZ`.
const STRING: usize = 32;
const NAME: usize = 16;

/// Statistics that a driver may have. The kernel is not told how much room there is and writes as many as the driver
/// has at that moment, so there is room for more than any driver's, and one that says more is not asked.
const ROOM: usize = 32_768;
const MOST: usize = ROOM / 2;

/// `struct ethtool_cmd` and `struct ethtool_drvinfo`, as words.
type SettingsArgs = [u32; 11];
type DriverArgs = [u32; 49];

/// Link modes as bits, and whether the mode is negotiated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Settings {
    pub supported: u32,
    pub advertised: u32,
    pub autonegotiate: bool,
}

/// A driver, its version and that of the firmware, where the device is, and the version of its boot ROM.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Driver {
    pub name: String,
    pub version: String,
    pub firmware: String,
    pub bus: String,
    pub rom: String,
}

/// A socket to ask by, made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    socket: Option<OwnedFd>,
}

impl Kernel {
    pub(super) fn settings(&mut self, device: &str) -> io::Result<Settings> {
        let mut words: SettingsArgs = [0; 11];
        words[0] = GET_SETTINGS;
        self.call(device, &mut words)?;
        Ok(Settings::decode(&words))
    }

    pub(super) fn driver(&mut self, device: &str) -> io::Result<Driver> {
        Ok(Driver::decode(&self.driver_words(device)?))
    }

    /// Names and values of the driver's own statistics.
    pub(super) fn statistics(&mut self, device: &str) -> io::Result<Vec<(String, u64)>> {
        let count = usize::try_from(self.driver_words(device)?[45]).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(Vec::new());
        }
        if count > MOST {
            return Err(io::Error::other(format!("{count} statistics are more than {MOST}")));
        }
        // What the kernel does not touch of this memory takes none.
        let mut strings = vec![0; 3 + ROOM * STRING / 4];
        strings[..3].copy_from_slice(&[GET_STRINGS, STATISTICS, word(count)]);
        self.call(device, &mut strings)?;
        let mut values = vec![0; 1 + ROOM];
        values[0] = pair(GET_STATISTICS, word(count));
        self.call(device, &mut values)?;
        let names = bytes_of(&strings[3..3 + count * STRING / 4]);
        let all = names.chunks(STRING).map(text).zip(values[1..].iter().copied());
        Ok(all.filter(|(name, _)| !name.is_empty()).collect())
    }

    fn driver_words(&mut self, device: &str) -> io::Result<DriverArgs> {
        let mut words: DriverArgs = [0; 49];
        words[0] = GET_DRIVER;
        self.call(device, &mut words)?;
        Ok(words)
    }

    /// Asks one question, whose kind the first word says; its answer is written over it.
    fn call<T: Word>(&mut self, device: &str, words: &mut [T]) -> io::Result<()> {
        let socket = if let Some(socket) = self.socket.take() {
            socket
        } else {
            let (family, kind) = (AddressFamily::INET, SocketType::DGRAM);
            rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?
        };
        let socket = self.socket.insert(socket);
        let mut name = [0; NAME];
        match name[..NAME - 1].get_mut(..device.len()) {
            Some(place) => place.copy_from_slice(device.as_bytes()),
            None => return Err(io::ErrorKind::InvalidInput.into()),
        }
        ioctl(socket, name, words)
    }
}

/// Memory that the kernel may fill with anything.
trait Word: Copy {}
impl Word for u32 {}
impl Word for u64 {}

#[expect(unsafe_code, reason = "no safe crate offers the statistics of ethtool")]
fn ioctl<T: Word>(socket: &OwnedFd, name: [u8; NAME], words: &mut [T]) -> io::Result<()> {
    /// `struct ifreq`: a name, and a union of 24 bytes that holds a pointer here.
    #[repr(C)]
    struct Request {
        name: [u8; NAME],
        data: *mut libc::c_void,
        rest: [u8; 24 - size_of::<*mut libc::c_void>()],
    }
    let data = words.as_mut_ptr().cast();
    let mut request = Request { name, data, rest: [0; 24 - size_of::<*mut libc::c_void>()] };
    // SAFETY: each caller's memory has at least the size that the kernel writes for the question in its first word: the
    // structs' own, or ROOM statistics where the driver has just said at most half as many. Every bit pattern is a value
    // of T, and the descriptor is open as long as `socket` is borrowed.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Settings {
    /// `cmd`, `supported`, `advertising`, speed and others, then a word of four bytes the third of which is `autoneg`.
    fn decode(words: &SettingsArgs) -> Self {
        let autonegotiate = words[4].to_ne_bytes()[2] != 0;
        Self { supported: words[1], advertised: words[2], autonegotiate }
    }
}

impl Driver {
    /// `cmd`, then five texts of 32 bytes.
    fn decode(words: &DriverArgs) -> Self {
        let bytes = bytes_of(&words[1..41]);
        let mut texts = bytes.chunks(STRING).map(text);
        let mut next = || texts.next().unwrap_or_default();
        Self { name: next(), version: next(), firmware: next(), bus: next(), rom: next() }
    }
}

fn word(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Two words beside each other in memory.
fn pair(first: u32, second: u32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

fn bytes_of(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// A text that ends at a NUL, if there is one.
fn text(bytes: &[u8]) -> String {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structs_are_read_as_the_kernel_lays_them_out() {
        let mut words: DriverArgs = [0; 49];
        words[1] = u32::from_ne_bytes(*b"veth");
        words[9] = u32::from_ne_bytes(*b"1.0\0");
        words[25] = u32::from_ne_bytes(*b"bus0");
        let driver = Driver::decode(&words);
        assert_eq!((driver.name.as_str(), driver.version.as_str()), ("veth", "1.0"));
        assert_eq!((driver.bus.as_str(), driver.rom.as_str()), ("bus0", ""));
        let mut words: SettingsArgs = [0; 11];
        (words[1], words[2]) = (1, 2);
        words[4] = u32::from_ne_bytes([0, 0, 1, 0]);
        let due = Settings { supported: 1, advertised: 2, autonegotiate: true };
        assert_eq!(Settings::decode(&words), due);
    }

    #[test]
    fn the_live_kernel_answers_or_says_why_not() {
        let mut kernel = Kernel::default();
        for entry in std::fs::read_dir("/sys/class/net").unwrap() {
            let device = entry.unwrap().file_name().into_string().unwrap();
            if let Ok(driver) = kernel.driver(&device) {
                assert!(!driver.name.is_empty(), "{device}");
            }
            for (name, _) in kernel.statistics(&device).unwrap_or_default() {
                assert!(name.len() <= STRING, "{device}: {name}");
            }
        }
        assert!(kernel.settings("an-interface-with-too-long-a-name").is_err());
        assert!(kernel.driver("none-such").is_err());
    }
}
