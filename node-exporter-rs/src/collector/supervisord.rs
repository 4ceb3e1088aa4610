//! `node_supervisord_*`: processes under supervisord, asked by XML-RPC (`supervisor.getAllProcessInfo`).

mod http;
mod xml;

use std::time::{Duration, Instant};

use exporter_toolkit::{Exposition, Gauge};

use self::http::Endpoint;
use self::xml::Process;
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::flags::Flag;

static URL: Flag<Endpoint> = Flag::new(
    "collector.supervisord.url",
    "http://localhost:9001/RPC2",
    "Where supervisord answers XML-RPC: http://… or unix:///PATH; without the flag, SUPERVISORD_URL of the environment.",
);

const LABELS: [&str; 2] = ["name", "group"];
static UP: Gauge<2> = Gauge::new(
    "node_supervisord_up",
    "1 while the process is starting, running or stopping.",
    LABELS,
);
static STATE: Gauge<2> = Gauge::new(
    "node_supervisord_state",
    "0 stopped, 10 starting, 20 running, 30 waiting after a failed start, 40 stopping, 100 exited, 200 given up, 1000 unknown.",
    LABELS,
);
static EXIT_STATUS: Gauge<2> = Gauge::new(
    "node_supervisord_exit_status",
    "What the process exited with when it last did; 0 while it has not.",
    LABELS,
);
/// The peer calls it a counter, against whose rule is its name.
static START_TIME: exporter_toolkit::Counter<2> = exporter_toolkit::Counter::as_the_peer_names_it(
    "node_supervisord_start_time_seconds",
    "When the process was started, as Unix time; absent for one that is not up.",
    LABELS,
);

/// How long supervisord may take where no scrape says less.
const PATIENCE: Duration = Duration::from_secs(5);
const CALL: &[u8] =
    b"<?xml version=\"1.0\"?><methodCall><methodName>supervisor.getAllProcessInfo</methodName><params/></methodCall>";

pub static SPEC: Spec = Spec {
    name: "supervisord",
    enabled: false,
    about: "Processes under supervisord, asked by XML-RPC.",
    flags: &[&URL],
    families: &[&UP, &STATE, &EXIT_STATUS, &START_TIME],
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let mut flags = setup.flags.clone();
    let environment = std::env::var("SUPERVISORD_URL").unwrap_or_default();
    if !flags.given(&URL) && !environment.is_empty() {
        flags.set("collector.supervisord.url", &environment);
    }
    Ok(Box::new(Supervisord { endpoint: flags.get(&URL)?, until: None }))
}

struct Supervisord {
    endpoint: Endpoint,
    until: Option<Instant>,
}

impl Collector for Supervisord {
    fn answer_by(&mut self, deadline: Instant) {
        self.until = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let patience = Instant::now() + PATIENCE;
        let until = self.until.take().map_or(patience, |deadline| deadline.min(patience));
        let failed = |source| CollectError::Call { call: "supervisor.getAllProcessInfo", source };
        let answer = self.endpoint.post(CALL, until).map_err(failed)?;
        let processes =
            xml::parse(&answer).map_err(|fault| failed(std::io::Error::other(fault)))?;
        write(&processes, out);
        Ok(())
    }
}

fn is_up(process: &Process) -> bool {
    matches!(process.state, Some(10 | 20 | 40))
}

fn write(processes: &[Process], out: &mut Exposition) {
    let mut up = out.family(&UP);
    for process in processes {
        up.sample((&process.name, &process.group), is_up(process));
    }
    let mut state = out.family(&STATE);
    for process in processes {
        state.maybe((&process.name, &process.group), process.state);
    }
    let mut exit = out.family(&EXIT_STATUS);
    for process in processes {
        exit.maybe((&process.name, &process.group), process.exit_status);
    }
    let mut start = out.family(&START_TIME);
    for process in processes.iter().filter(|process| is_up(process)) {
        start.maybe((&process.name, &process.group), process.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    /// Answers one question; gives what was asked.
    fn serve(mut stream: impl Read + Write, body: &str) -> String {
        let mut asked = Vec::new();
        let mut byte = [0];
        while !asked.ends_with(b"</methodCall>") && stream.read(&mut byte).unwrap() == 1 {
            asked.push(byte[0]);
        }
        let head = "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        String::from_utf8(asked).unwrap()
    }

    const TWO: &str = "<?xml version='1.0'?><methodResponse><params><param><value><array><data>\
        <value><struct><member><name>name</name><value><string>a</string></value></member>\
        <member><name>group</name><value>g&amp;h</value></member>\
        <member><name>start</name><value><int>1700000000</int></value></member>\
        <member><name>state</name><value><int>20</int></value></member>\
        <member><name>exitstatus</name><value><i4>0</i4></value></member></struct></value>\
        <value><struct><member><name>name</name><value><string>b</string></value></member>\
        <member><name>state</name><value><int>100</int></value></member>\
        <member><name>start</name><value><int>1700000000</int></value></member></struct></value>\
        </data></array></value></param></params></methodResponse>";
    const DUE: [&str; 6] = [
        "node_supervisord_up{name=\"a\",group=\"g&h\"} 1",
        "node_supervisord_up{name=\"b\",group=\"\"} 0",
        "node_supervisord_state{name=\"a\",group=\"g&h\"} 20",
        "node_supervisord_state{name=\"b\",group=\"\"} 100",
        "node_supervisord_exit_status{name=\"a\",group=\"g&h\"} 0",
        "node_supervisord_start_time_seconds{name=\"a\",group=\"g&h\"} 1700000000",
    ];

    #[test]
    fn a_server_that_is_asked_by_tcp_with_a_password_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://user:p%40ss@{}/RPC2", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || serve(listener.accept().unwrap().0, TWO));
        let flags = [("collector.supervisord.url", url.as_str())];
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &flags);
        result.unwrap();
        assert_eq!(samples, DUE);
        let asked = server.join().unwrap();
        assert!(asked.starts_with("POST /RPC2 HTTP/1.0\r\n"), "{asked}");
        assert!(asked.contains("\r\nAuthorization: Basic dXNlcjpwQHNz\r\n"), "{asked}");
    }

    #[test]
    fn a_unix_socket_is_asked_at_the_usual_path() {
        let folder = tree(&[]);
        let socket = folder.path().join("supervisor.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || serve(listener.accept().unwrap().0, TWO));
        let url = format!("unix://{}", socket.display());
        let flags = [("collector.supervisord.url", url.as_str())];
        assert_eq!(collect(&SPEC, folder.path(), &flags).0, DUE);
        assert!(server.join().unwrap().starts_with("POST /RPC2 HTTP/1.0\r\n"));
    }

    #[test]
    fn a_fault_and_a_server_that_is_not_there_are_told() {
        let folder = tree(&[]);
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let fault = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>6</int></value></member>\
                     <member><name>faultString</name><value><string>SHUTDOWN_STATE</string></value></member></struct></value></fault></methodResponse>";
        let server = std::thread::spawn(move || serve(listener.accept().unwrap().0, fault));
        let url = format!("unix://{}", socket.display());
        let ask = || collect(&SPEC, folder.path(), &[("collector.supervisord.url", &url)]).1;
        let error = ask().unwrap_err().to_string();
        assert!(error.ends_with("SHUTDOWN_STATE"), "{error}");
        server.join().unwrap();
        assert!(!ask().unwrap_err().is_no_data());
    }
}
