//! One address for two processes, until the newer has taken the older's place (`--web.reuse-port`).
//!
//! The kernel spreads connections over all sockets of an address, unless a program of theirs chooses one by its number
//! (socket(7), `SO_ATTACH_REUSEPORT_CBPF`). Numbers are given in the order in which sockets begin to listen; when one is
//! closed, the last takes its number. So of two processes the older has number 0, the newer 1, and who is left has 0. A
//! number that nobody has is the same as no program.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

pub(super) const OLDER: u32 = 0;
pub(super) const NEWER: u32 = 1;

/// For a connection within one host; one whose queue is full is silent.
const PATIENCE: Duration = Duration::from_millis(200);

/// Where this host reaches an address that it serves on.
pub(super) fn reached_at(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}

/// A connection to who serves there.
pub(super) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&reached_at(address), PATIENCE)
}

/// Whether somebody serves there already.
pub(super) fn is_served(address: SocketAddr) -> bool {
    let asked = || connect(address).map_or_else(|e| e.kind() == io::ErrorKind::TimedOut, |_| true);
    address.port() != 0 && asked()
}

/// Lets new connections to the address of this socket go to the one with this number, from now on.
pub(super) fn choose(socket: impl AsFd, number: u32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = kernel::choose(socket.as_fd(), number) {
        // Linux before 4.6. The kernel spreads them, and one that is on its way while a process ends may be lost.
        tracing::debug!(%error, "the kernel chooses among processes on one port by itself");
    }
    #[cfg(not(target_os = "linux"))]
    let _nobody = (socket, number);
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe crate offers this option")]
mod kernel {
    use std::io;
    use std::mem::size_of;
    use std::os::fd::{AsRawFd as _, BorrowedFd};

    use libc::{sock_filter, sock_fprog, socklen_t};

    /// `BPF_RET | BPF_K` of `linux/bpf_common.h`: return a constant.
    const RETURN: u16 = 0x06;
    #[expect(clippy::cast_possible_truncation, reason = "it is 16")]
    const SIZE: socklen_t = size_of::<sock_fprog>() as socklen_t;

    pub(super) fn choose(socket: BorrowedFd<'_>, number: u32) -> io::Result<()> {
        let mut code = [sock_filter { code: RETURN, jt: 0, jf: 0, k: number }];
        let program = sock_fprog { len: 1, filter: code.as_mut_ptr() };
        // SAFETY: the descriptor is open while it is borrowed; the kernel copies the program, whose only instruction and
        // whose size are as stated, before it returns.
        let done = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_REUSEPORT_CBPF,
                (&raw const program).cast(),
                SIZE,
            )
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
