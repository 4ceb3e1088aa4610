//! Where btrfs is mounted, from `/proc/1/mountinfo` (proc(5)).

use memchr::memmem;

/// The mount points of all btrfs, once for each subvolume or bind mount; blanks in them are escaped.
pub(super) fn of_btrfs(mountinfo: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Optional fields end with a dash, behind which stands the type.
    memmem::find_iter(mountinfo, b" - btrfs ").filter_map(|at| {
        let start = memchr::memrchr(b'\n', &mountinfo[..at]).map_or(0, |newline| newline + 1);
        mountinfo[start..at].split(|&byte| byte == b' ').nth(4)
    })
}

/// Takes back the kernel's escaping: a backslash and three octal digits.
pub(super) fn unescape(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| byte == b'\\').and_then(octal);
        out.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    out
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_btrfs_is_found_whatever_optional_fields_stand_before() {
        let text = b"22 1 0:20 / /proc rw - proc proc rw\n\
            23 1 0:21 /@ / rw,relatime shared:1 master:2 - btrfs /dev/sda2 rw,subvol=/@\n\
            24 1 0:22 / /my\\040data rw - btrfs /dev/sdb rw";
        let found: Vec<_> = of_btrfs(text).collect();
        assert_eq!(found, [&b"/"[..], b"/my\\040data"]);
        assert_eq!(unescape(found[1]), b"/my data");
        assert_eq!(unescape(b"a\\9\\04"), b"a\\9\\04");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let text = [bytes.as_slice(), b" - btrfs ", &bytes].concat();
            assert!(of_btrfs(&text).all(|path| unescape(path).len() <= path.len()));
        }
    }
}
