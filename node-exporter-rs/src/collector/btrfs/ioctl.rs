//! What btrfs tells of its devices through ioctls on an open folder of the file system (include/uapi/linux/btrfs.h).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `BTRFS_IOCTL_MAGIC`.
const MAGIC: u32 = 0x94;

/// The kernel's argument structs, as words: all of them are a multiple of eight bytes, and aligned like one.
type FsInfoArgs = [u64; 1024 / 8];
type DevInfoArgs = [u64; 4096 / 8];
type DevStatsArgs = [u64; 1032 / 8];

const FS_INFO: libc::Ioctl = libc::_IOR::<FsInfoArgs>(MAGIC, 31);
const DEV_INFO: libc::Ioctl = libc::_IOWR::<DevInfoArgs>(MAGIC, 30);
const GET_DEV_STATS: libc::Ioctl = libc::_IOWR::<DevStatsArgs>(MAGIC, 52);

/// Ids are given out one by one and never again; a file system that saw more devices than this is not asked further.
const LAST_ID: u64 = 10_000;
/// `BTRFS_DEV_STAT_VALUES_MAX`: write, read, flush, corruption and generation errors.
pub(super) const ERROR_KINDS: usize = 5;

/// A file system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FsInfo {
    last_id: u64,
    devices: u64,
    pub(super) fsid: [u8; 16],
}

/// A device of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Device {
    /// The last part of its path, as bytes; empty where the device is missing.
    pub(super) name: Vec<u8>,
    pub(super) uuid: [u8; 16],
    pub(super) used_bytes: u64,
    pub(super) total_bytes: u64,
    /// Absent until the kernel has read them from the device.
    pub(super) errors: Option<[u64; ERROR_KINDS]>,
}

/// What the file system is that `folder` belongs to; an error where it is not btrfs.
pub(super) fn fs_info(folder: &File) -> io::Result<FsInfo> {
    let mut words: FsInfoArgs = [0; 128];
    call(folder, FS_INFO, &mut words)?;
    Ok(FsInfo::decode(&words))
}

/// All its devices that are there, by their id.
pub(super) fn devices(folder: &File, fs: &FsInfo) -> io::Result<Vec<Device>> {
    let mut devices = Vec::new();
    // Id 0 is the target of a running replacement.
    for id in 0..=fs.last_id.min(LAST_ID) {
        let mut words: DevInfoArgs = [0; 512];
        words[0] = id;
        match call(folder, DEV_INFO, &mut words) {
            Ok(()) => devices.push(Device::decode(&words, errors(folder, id))),
            // Ids of devices that were removed.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
            Err(error) => return Err(error),
        }
        if devices.len() as u64 >= fs.devices {
            break;
        }
    }
    Ok(devices)
}

fn errors(folder: &File, id: u64) -> Option<[u64; ERROR_KINDS]> {
    let mut words: DevStatsArgs = [0; 129];
    words[0] = id;
    words[1] = ERROR_KINDS as u64;
    call(folder, GET_DEV_STATS, &mut words).ok()?;
    decode_errors(&words)
}

#[expect(unsafe_code, reason = "no safe crate offers the ioctls of btrfs")]
fn call<const N: usize>(
    folder: &File,
    request: libc::Ioctl,
    words: &mut [u64; N],
) -> io::Result<()> {
    // SAFETY: each request above is made of the size of the very array type that it is called with, of which the kernel
    // reads and writes no more; the descriptor is open as long as `folder` is borrowed.
    let result = unsafe { libc::ioctl(folder.as_raw_fd(), request, words.as_mut_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl FsInfo {
    /// `struct btrfs_ioctl_fs_info_args`: `max_id`, `num_devices`, `fsid[16]`, …
    fn decode(words: &FsInfoArgs) -> Self {
        Self { last_id: words[0], devices: words[1], fsid: uuid(words[2], words[3]) }
    }
}

impl Device {
    /// `struct btrfs_ioctl_dev_info_args`: `devid`, `uuid[16]`, `bytes_used`, `total_bytes`, …, `path[1024]`.
    fn decode(words: &DevInfoArgs, errors: Option<[u64; ERROR_KINDS]>) -> Self {
        let path: Vec<u8> = words[384..].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        Self {
            name: name.to_vec(),
            uuid: uuid(words[1], words[2]),
            used_bytes: words[3],
            total_bytes: words[4],
            errors,
        }
    }
}

/// `struct btrfs_ioctl_get_dev_stats`: `devid`, `nr_items`, `flags`, `values[5]`, …; the kernel sets `nr_items` to how
/// many it filled in.
fn decode_errors(words: &DevStatsArgs) -> Option<[u64; ERROR_KINDS]> {
    if words[1] < ERROR_KINDS as u64 {
        return None;
    }
    words[3..3 + ERROR_KINDS].try_into().ok()
}

fn uuid(first: u64, second: u64) -> [u8; 16] {
    let mut uuid = [0; 16];
    uuid[..8].copy_from_slice(&first.to_ne_bytes());
    uuid[8..].copy_from_slice(&second.to_ne_bytes());
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_of_the_kernels_header() {
        // As BTRFS_IOC_FS_INFO and its like are on x86-64, arm64, riscv and s390.
        if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            let requests =
                [FS_INFO, DEV_INFO, GET_DEV_STATS].map(|request| i128::from(request) & 0xffff_ffff);
            assert_eq!(requests, [0x8400_941f, 0xd000_941e, 0xc408_9434]);
        }
    }

    #[test]
    fn a_devices_struct_is_taken_apart() {
        let mut words: DevInfoArgs = [0; 512];
        words[..5].copy_from_slice(&[
            7,
            u64::from_ne_bytes([1, 2, 3, 4, 5, 6, 7, 8]),
            u64::from_ne_bytes([9, 10, 11, 12, 13, 14, 15, 16]),
            100,
            300,
        ]);
        words[384] = u64::from_ne_bytes(*b"/dev/sdb");
        words[385] = u64::from_ne_bytes(*b"1\0junk!!");
        let device = Device::decode(&words, None);
        assert_eq!(device.name, b"sdb1");
        assert_eq!(device.uuid, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!((device.used_bytes, device.total_bytes), (100, 300));
        assert_eq!(Device::decode(&[0; 512], None).name, b"");
    }

    #[test]
    fn errors_that_the_kernel_did_not_fill_in_are_missing() {
        let mut words: DevStatsArgs = [0; 129];
        words[3..8].copy_from_slice(&[1, 2, 3, 4, 5]);
        assert_eq!(decode_errors(&words), None);
        words[1] = 5;
        assert_eq!(decode_errors(&words), Some([1, 2, 3, 4, 5]));
    }

    #[test]
    fn a_folder_of_another_file_system_is_an_error() {
        assert!(fs_info(&File::open("/proc").unwrap()).is_err());
    }
}
