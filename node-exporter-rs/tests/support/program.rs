//! The program itself, started as a user starts it, on a port of its own choice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_node-exporter-rs");
/// Far longer than it takes on the slowest machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running program; it ends with the test.
pub(crate) struct Program {
    child: Child,
    address: String,
    /// What it logged before it listened.
    pub(crate) log: String,
}

impl Program {
    /// Starts it and waits until it listens. One of the arguments asks for port 0 of the loopback.
    pub(crate) fn start(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(args).envs(environment.iter().copied()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {log}")).unwrap();
            log.push_str(&line);
            log.push('\n');
            if let Some((_, rest)) = line.split_once("msg=\"Listening on\" address=") {
                break rest.split(' ').next().unwrap().to_owned();
            }
        };
        // What it logs from now on must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, log }
    }

    /// The answer's body.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{head}");
        body.to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, upon which there is nothing to end.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Runs it to its end: exit code, output, error output.
pub(crate) fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
