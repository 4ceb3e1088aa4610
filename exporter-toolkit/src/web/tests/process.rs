//! What belongs to a whole process, tried in a process of its own: this test binary, asked for one test.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::agent::{options, start, started};
use super::client::{connect, get};

/// Set for the process that a test starts.
const INSIDE: &str = "EXPORTER_TOOLKIT_TEST_INSIDE";

fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// This test binary again, by way of a shell that runs `before` first.
fn myself(test: &str, before: &str) -> Command {
    let mut command = Command::new("sh");
    let binary = env::current_exe().unwrap();
    command.arg("-c").arg(format!("{before} exec \"$0\" --exact \"$1\"")).arg(binary).arg(test);
    command.env(INSIDE, "1").stdout(Stdio::null());
    command
}

/// Ends with the test that started it.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_socket_from_systemd_is_served() {
    if is_inside() {
        let mut options = options(&["--web.systemd-socket"]);
        options.listen_addresses.clear();
        let server = start(options).unwrap();
        assert_eq!(server.addresses.len(), 1);
        return std::future::pending().await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let test = "web::tests::process::a_socket_from_systemd_is_served";
    // As systemd does: the socket is descriptor 3, LISTEN_PID is the process it is meant for.
    let mut command = myself(test, "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$;");
    let _child = Ending(command.stdin(Stdio::from(OwnedFd::from(listener))).spawn().unwrap());
    assert_eq!(get(address, "/healthz").await.status, 200);
}

#[tokio::test]
async fn systemd_is_told_what_happens() {
    if is_inside() {
        let mut server = started(&[]);
        server.reload.request();
        server.agent.reloaded.notified().await;
        server.stop();
        server.ended().await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let mut command = myself("web::tests::process::systemd_is_told_what_happens", "");
    let _child = Ending(command.env("NOTIFY_SOCKET", &path).spawn().unwrap());
    for expected in ["READY=1", "RELOADING=1\nMONOTONIC_USEC=", "READY=1", "STOPPING=1"] {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).await.unwrap();
        let told = std::str::from_utf8(&buffer[..length]).unwrap();
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn a_process_out_of_file_descriptors_serves_again_once_it_has_some() {
    if !is_inside() {
        let test =
            "web::tests::process::a_process_out_of_file_descriptors_serves_again_once_it_has_some";
        assert!(myself(test, "").status().unwrap().success());
        return;
    }
    let server = started(&[]);
    let used = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(used + 8), maximum }).unwrap();
    let mut clients = Vec::new();
    while server.stats.accept_errors.get() == 0 {
        clients.extend(tokio::net::TcpStream::connect(server.address()).await);
        tokio::task::yield_now().await;
    }
    drop(clients);
    drop(connect(server.address()).await);
    assert_eq!(get(server.address(), "/healthz").await.status, 200);
}
