//! `with-hung-mount FOLDER PROGRAM ARGS...`: mounts a FUSE file system on `FOLDER` whose server never answers, so that
//! every `statfs` of it blocks, and becomes `PROGRAM`.
//!
//! To be run as root in a private mount namespace (`unshare --mount`). The program inherits the server's file
//! descriptor: when it ends, the mount ends too.

use std::ffi::CString;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, mount};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let folder = args.next().context("which folder?")?;
    let program = args.next().context("which program?")?;
    // Without CLOEXEC: the descriptor is to live as long as the program.
    let server = rustix::fs::open("/dev/fuse", OFlags::RDWR, Mode::empty()).context("/dev/fuse")?;
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
    let options = CString::new(options)?;
    let folder = CString::new(folder.into_vec())?;
    mount(c"hung", &*folder, c"fuse", MountFlags::empty(), &*options).context("mount")?;
    // Given away on purpose: closing it would end the mount.
    _ = server.into_raw_fd();
    Err(Command::new(program).args(args).exec()).context("exec")
}
