//! Unix sockets: a stale file of a killed process is replaced, a living one is not.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::UnixListener;

use super::{BACKLOG, Listener};

/// Owner and group may connect unless `mode=` says otherwise.
const MODE: u32 = 0o660;

#[derive(Debug, Eq, PartialEq)]
pub(super) struct UnixAddress {
    path: PathBuf,
    mode: u32,
}

impl UnixAddress {
    /// Reads `/run/x.sock` or `/run/x.sock,mode=0660`; `//` before the path is allowed as in URLs.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (path, mode) = match text.split_once(",mode=") {
            Some((path, mode)) => (path, u32::from_str_radix(mode, 8).ok()),
            None => (text, Some(MODE)),
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        match mode {
            _ if !path.starts_with('/') => {
                Err("a unix socket needs a path that starts with '/'".to_owned())
            }
            Some(mode) if mode <= 0o777 => Ok(Self { path: PathBuf::from(path), mode }),
            _ => Err("the mode is not an octal number like 0660".to_owned()),
        }
    }
}

/// The file of a socket; removed with it, unless another process has replaced it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|now| now == self.inode) {
            // A file that cannot be removed is stale at the next start, which handles it.
            let _removed = fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// The mode is set before listening, so nobody connects under another one.
pub(super) fn bind(address: &UnixAddress) -> io::Result<Listener> {
    let UnixAddress { path, mode } = address;
    remove_stale(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path.as_path())?)?;
    let file = SocketFile { path: path.clone(), inode: inode(path)? };
    fs::set_permissions(path, fs::Permissions::from_mode(*mode))?;
    rustix::net::listen(&socket, BACKLOG)?;
    let listener = UnixListener::from_std(StdUnixListener::from(socket))?;
    Ok(Listener::Unix(listener, Some(file)))
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(file) => file.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is no socket is there",
        ));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::from(io::ErrorKind::AddrInUse)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(path: &Path, mode: u32) -> UnixAddress {
        UnixAddress { path: path.to_owned(), mode }
    }

    #[test]
    fn a_path_may_carry_a_mode() {
        let path = Path::new("/run/x.sock");
        assert_eq!(UnixAddress::parse("/run/x.sock"), Ok(address(path, 0o660)));
        assert_eq!(UnixAddress::parse("///run/x.sock"), Ok(address(path, 0o660)));
        assert_eq!(UnixAddress::parse("/run/x.sock,mode=0600"), Ok(address(path, 0o600)));
        assert!(UnixAddress::parse("/run/x.sock,mode=9").unwrap_err().contains("octal"));
        assert!(UnixAddress::parse("x.sock").unwrap_err().contains("starts with '/'"));
    }

    #[tokio::test]
    async fn the_file_has_the_mode_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = bind(&address(&path, 0o600)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(StdUnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _living = bind(&address(&path, 0o600)).unwrap();
        let error = bind(&address(&path, 0o600)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::write(&path, "precious").unwrap();
        assert_eq!(bind(&address(&path, 0o600)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(path.exists());
    }
}
