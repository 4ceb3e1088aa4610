//! A snapshot as text, a family after the other, written while it is sent: no more than a piece of it is held.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::families::{FAMILIES, Family, Samples, Unit};
use super::io::OPERATIONS;
use super::options::Enabled;
use super::snapshot::{Row, Snapshot};

/// About what goes out at once.
const PIECE_BYTES: usize = 32 * 1024;

/// The body of a scrape.
#[derive(Debug)]
pub struct Written {
    snapshot: Snapshot,
    enabled: Enabled,
    family: usize,
    row: usize,
    /// The family's headers are written.
    open: bool,
}

impl Written {
    pub fn new(snapshot: Snapshot, enabled: Enabled) -> Self {
        Self { snapshot, enabled, family: 0, row: 0, open: false }
    }

    /// Appends a piece; false where all is written.
    pub fn piece(&mut self, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        while let Some(family) = FAMILIES.get(self.family) {
            if out.len() - start >= PIECE_BYTES {
                return true;
            }
            if self.enabled.has(family.of) && self.rows(family, out) {
                continue;
            }
            (self.family, self.row, self.open) = (self.family + 1, 0, false);
        }
        out.len() > start
    }

    /// Writes rows of a family until a piece is full; false where none is left.
    fn rows(&mut self, family: &Family, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut lines = Lines { out, family, open: &mut self.open };
        if lines.once(&self.snapshot) {
            return false;
        }
        while let Some(row) = self.snapshot.rows.get(self.row) {
            if lines.out.len() - start >= PIECE_BYTES {
                return true;
            }
            self.row += 1;
            lines.row(row, &self.snapshot);
        }
        false
    }
}

/// The lines of one family.
pub(super) struct Lines<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) family: &'o Family,
    /// Its headers are written.
    pub(super) open: &'o mut bool,
}

impl Lines<'_> {
    /// Writes samples that are the machine's; false where those of the family are cgroups'.
    pub(super) fn once(&mut self, snapshot: &Snapshot) -> bool {
        let machine = &snapshot.machine;
        match self.family.samples {
            Samples::Machine(of) => {
                if let Some(value) = of(machine) {
                    self.line(&machine.labels, &[], value, Unit::One);
                }
            }
            Samples::Version => self.line(&machine.version, &[], 1, Unit::One),
            Samples::NoError => self.line(b"", &[], 0, Unit::One),
            _ => return false,
        }
        true
    }

    pub(super) fn row(&mut self, row: &Row, snapshot: &Snapshot) {
        let labels = &row.labels;
        match self.family.samples {
            Samples::Row(of, unit) => {
                if let Some(value) = of(row) {
                    self.line(labels, &[], value, unit);
                }
            }
            Samples::Now => self.line(labels, &[], snapshot.now, Unit::One),
            Samples::Cpus => self.cpus(row, snapshot),
            Samples::Faults => self.faults(row),
            Samples::Disk(of_device, of_filesystem, unit) => {
                for (device, name) in snapshot.devices(row) {
                    if let Some(value) = of_device(device) {
                        self.line(labels, &[("device", name)], value, unit);
                    }
                }
                for filesystem in snapshot.filesystems(row) {
                    let name = &*filesystem.name;
                    let told =
                        |(device, known): (&_, &[u8])| known == name && of_device(device).is_some();
                    if let Some(value) = of_filesystem(filesystem)
                        && !snapshot.devices(row).any(told)
                    {
                        self.line(labels, &[("device", name)], value, unit);
                    }
                }
            }
            Samples::Operations => self.operations(row, snapshot),
            Samples::Interface(at) => {
                let interfaces = snapshot.interfaces.get(row.interfaces.clone());
                for interface in interfaces.unwrap_or_default() {
                    let value = interface.counts.get(at).copied().unwrap_or_default();
                    self.line(labels, &[("interface", interface.name())], value, Unit::One);
                }
            }
            Samples::Limits => self.limits(row),
            Samples::Machine(_) | Samples::Version | Samples::NoError => {}
        }
    }

    fn cpus(&mut self, row: &Row, snapshot: &Snapshot) {
        let cpus = snapshot.cpus.get(row.cpus.clone()).unwrap_or_default();
        if cpus.is_empty() {
            if let Some(usage) = row.cpu.usage {
                self.line(&row.labels, &[("cpu", b"total")], usage, Unit::Nanoseconds);
            }
            return;
        }
        for (number, time) in cpus.iter().enumerate() {
            let name = format!("cpu{number:02}");
            self.line(&row.labels, &[("cpu", name.as_bytes())], *time, Unit::Nanoseconds);
        }
    }

    fn faults(&mut self, row: &Row) {
        let memory = &row.memory;
        for (kind, scope, value) in [
            ("pgfault", "container", memory.own_faults),
            ("pgfault", "hierarchy", memory.faults),
            ("pgmajfault", "container", memory.own_major_faults),
            ("pgmajfault", "hierarchy", memory.major_faults),
        ] {
            if let Some(value) = value {
                let labels = [("failure_type", kind.as_bytes()), ("scope", scope.as_bytes())];
                self.line(&row.labels, &labels, value, Unit::One);
            }
        }
    }

    fn operations(&mut self, row: &Row, snapshot: &Snapshot) {
        for (device, name) in snapshot.devices(row) {
            let (mut major, mut minor) = (itoa::Buffer::new(), itoa::Buffer::new());
            let (major, minor) = (major.format(device.major), minor.format(device.minor));
            for (operation, value) in OPERATIONS.iter().zip(device.bytes) {
                let Some(value) = value else { continue };
                let labels = [
                    ("device", name),
                    ("major", major.as_bytes()),
                    ("minor", minor.as_bytes()),
                    ("operation", operation.as_bytes()),
                ];
                self.line(&row.labels, &labels, value, Unit::One);
            }
        }
    }

    fn limits(&mut self, row: &Row) {
        let Some(limit) = row.open_files else { return };
        self.begin(&row.labels, &[("ulimit", b"max_open_files")]);
        self.out.extend_from_slice(itoa::Buffer::new().format(limit).as_bytes());
        self.out.push(b'\n');
    }

    fn line(&mut self, labels: &[u8], more: &[(&str, &[u8])], value: u64, unit: Unit) {
        self.begin(labels, more);
        write_value(value, unit, self.out);
        self.out.push(b'\n');
    }

    /// Headers before the first sample, then the sample up to its value.
    fn begin(&mut self, labels: &[u8], more: &[(&str, &[u8])]) {
        let (out, family) = (&mut *self.out, self.family);
        if !std::mem::replace(self.open, true) {
            let kind: &[u8] = if family.counter { b" counter\n" } else { b" gauge\n" };
            let (name, help) = (family.name.as_bytes(), family.help.as_bytes());
            for part in [b"# HELP ", name, b" ", help, b"\n# TYPE ", name, kind] {
                out.extend_from_slice(part);
            }
        }
        out.extend_from_slice(family.name.as_bytes());
        if labels.is_empty() && more.is_empty() {
            return out.push(b' ');
        }
        out.push(b'{');
        out.extend_from_slice(labels);
        for (name, value) in more {
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            out.extend_from_slice(value);
            out.push(b'"');
        }
        out.extend_from_slice(b"} ");
    }
}

/// Exact to the last digit: no float is in between.
fn write_value(value: u64, unit: Unit, out: &mut Vec<u8>) {
    let digits = match unit {
        Unit::One => 0,
        Unit::Milliseconds => 3,
        Unit::Nanoseconds => 9,
    };
    let scale = 10_u64.pow(digits);
    let mut buffer = itoa::Buffer::new();
    out.extend_from_slice(buffer.format(value / scale).as_bytes());
    let rest = value % scale;
    if rest == 0 {
        return;
    }
    out.push(b'.');
    let text = buffer.format(rest).as_bytes();
    out.extend(std::iter::repeat_n(b'0', digits as usize - text.len()));
    let end = text.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    out.extend_from_slice(text.get(..end).unwrap_or_default());
}

impl Body for Written {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut out = Vec::with_capacity(PIECE_BYTES + 1024);
        Poll::Ready(self.piece(&mut out).then(|| Ok(Frame::data(out.into()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: u64, unit: Unit) -> String {
        let mut out = Vec::new();
        write_value(value, unit, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_told_in_seconds_to_the_last_digit() {
        assert_eq!(value(1_500_000_000, Unit::Nanoseconds), "1.5");
        assert_eq!(value(1, Unit::Nanoseconds), "0.000000001");
        assert_eq!(value(2_000_000_000, Unit::Nanoseconds), "2");
        assert_eq!(value(1_010, Unit::Milliseconds), "1.01");
        assert_eq!(value(u64::MAX, Unit::One), u64::MAX.to_string());
    }

    proptest::proptest! {
        #[test]
        fn a_time_reads_back_as_itself(nanoseconds in 0_u64..1 << 53) {
            let read: f64 = value(nanoseconds, Unit::Nanoseconds).parse().unwrap();
            proptest::prop_assert!((read * 1e9 - nanoseconds as f64).abs() <= 1.0);
        }
    }
}
