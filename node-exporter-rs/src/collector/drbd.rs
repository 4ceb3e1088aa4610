//! `node_drbd_*`: replicated block devices, from `/proc/drbd` of DRBD 8.

use exporter_toolkit::{Counter, Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::{KeptFile, Text};

const DEVICE: [&str; 1] = ["device"];
const SIDE: [&str; 2] = ["device", "node"];

static SENT: Counter<1> =
    Counter::new("node_drbd_network_sent_bytes_total", "Bytes sent to the peer.", DEVICE);
static RECEIVED: Counter<1> = Counter::new(
    "node_drbd_network_received_bytes_total",
    "Data received from the peer, as DRBD counts it: in KiB, whatever the name says.",
    DEVICE,
);
static WRITTEN: Counter<1> = Counter::new(
    "node_drbd_disk_written_bytes_total",
    "Bytes written to the local disk, without DRBD's own data.",
    DEVICE,
);
static READ: Counter<1> = Counter::new(
    "node_drbd_disk_read_bytes_total",
    "Bytes read from the local disk, without DRBD's own data.",
    DEVICE,
);
static LOG_WRITES: Counter<1> = Counter::new(
    "node_drbd_activitylog_writes_total",
    "Updates of the activity log on disk.",
    DEVICE,
);
static BITMAP_WRITES: Counter<1> = Counter::new(
    "node_drbd_bitmap_writes_total",
    "Updates of the bitmap on disk, which says what is out of sync.",
    DEVICE,
);
static LOCAL: Gauge<1> =
    Gauge::new("node_drbd_local_pending", "Requests open at the local disk.", DEVICE);
static REMOTE: Gauge<1> =
    Gauge::new("node_drbd_remote_pending", "Requests sent that the peer has not answered.", DEVICE);
static UNACKNOWLEDGED: Gauge<1> = Gauge::new(
    "node_drbd_remote_unacknowledged",
    "Requests of the peer that are not answered yet.",
    DEVICE,
);
static APPLICATION: Gauge<1> = Gauge::new(
    "node_drbd_application_pending",
    "Requests of applications that DRBD has not answered yet.",
    DEVICE,
);
static EPOCHS: Gauge<1> =
    Gauge::new("node_drbd_epochs", "Epochs under way: groups of writes between barriers.", DEVICE);
static OUT_OF_SYNC: Gauge<1> = Gauge::new(
    "node_drbd_out_of_sync_bytes",
    "Bytes that are known to differ between the nodes.",
    DEVICE,
);
static PRIMARY: Gauge<2> = Gauge::new(
    "node_drbd_node_role_is_primary",
    "1 where the node (local or remote) has the primary role.",
    SIDE,
);
static UP_TO_DATE: Gauge<2> = Gauge::new(
    "node_drbd_disk_state_is_up_to_date",
    "1 where the node's disk (local or remote) is up to date.",
    SIDE,
);
static CONNECTED: Gauge<1> =
    Gauge::new("node_drbd_connected", "1 while the device is connected to its peer.", DEVICE);

const KIB: u32 = 1024;
/// Keys of the file (`drbd_seq_show` of `drivers/block/drbd/drbd_proc.c`), and how many bytes their unit has. The kernel
/// counts received data in KiB too, but the peer does not multiply it, and its values are ours.
static COUNTERS: [(&str, u32, &Counter<1>); 6] = [
    ("ns", KIB, &SENT),
    ("nr", 1, &RECEIVED),
    ("dw", KIB, &WRITTEN),
    ("dr", KIB, &READ),
    ("al", 1, &LOG_WRITES),
    ("bm", 1, &BITMAP_WRITES),
];
static GAUGES: [(&str, u32, &Gauge<1>); 6] = [
    ("lo", 1, &LOCAL),
    ("pe", 1, &REMOTE),
    ("ua", 1, &UNACKNOWLEDGED),
    ("ap", 1, &APPLICATION),
    ("ep", 1, &EPOCHS),
    ("oos", KIB, &OUT_OF_SYNC),
];
/// Keys whose value is one word per side, and the word that gives 1.
static SIDES: [(&str, &str, &Gauge<2>); 2] =
    [("ro", "Primary", &PRIMARY), ("ds", "UpToDate", &UP_TO_DATE)];

pub static SPEC: Spec = Spec {
    name: "drbd",
    enabled: false,
    about: "Replicated block devices of DRBD 8, from /proc/drbd.",
    flags: &[],
    families: &[
        &SENT,
        &RECEIVED,
        &WRITTEN,
        &READ,
        &LOG_WRITES,
        &BITMAP_WRITES,
        &LOCAL,
        &REMOTE,
        &UNACKNOWLEDGED,
        &APPLICATION,
        &EPOCHS,
        &OUT_OF_SYNC,
        &PRIMARY,
        &UP_TO_DATE,
        &CONNECTED,
    ],
    build: |setup| Ok(Box::new(Drbd { file: setup.host.keep_proc("drbd") })),
};

struct Drbd {
    file: KeptFile,
}

/// A device: the words `key:value` of its lines.
struct Device<'a> {
    name: String,
    words: Vec<(&'a str, &'a str)>,
}

impl Collector for Drbd {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let devices = parse(&text);
        for (key, unit, family) in &COUNTERS {
            let mut samples = out.family(family);
            for device in &devices {
                samples.maybe(&device.name, device.number(text, key, *unit)?);
            }
        }
        for (key, unit, family) in &GAUGES {
            let mut samples = out.family(family);
            for device in &devices {
                samples.maybe(&device.name, device.number(text, key, *unit)?);
            }
        }
        for (key, good, family) in &SIDES {
            let mut samples = out.family(family);
            for device in &devices {
                let sides = device.get(key).and_then(|words| words.split_once('/'));
                let Some((local, remote)) = sides else { continue };
                samples.sample((&device.name, "local"), local == *good);
                samples.sample((&device.name, "remote"), remote == *good);
            }
        }
        let mut connected = out.family(&CONNECTED);
        for device in &devices {
            connected.maybe(&device.name, device.get("cs").map(|state| state == "Connected"));
        }
        Ok(())
    }
}

impl<'a> Device<'a> {
    fn get(&self, wanted: &str) -> Option<&'a str> {
        self.words.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value)
    }

    fn number(&self, text: Text<'_>, key: &str, unit: u32) -> Result<Option<f64>, CollectError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.parse::<u64>() {
            Ok(number) => Ok(Some(number as f64 * f64::from(unit))),
            Err(_) => Err(text.wrong("a number expected", &format!("{key}:{value}"))),
        }
    }
}

/// A word that is a number and a colon begins a device; what stands before the first one is about the module.
fn parse(text: &str) -> Vec<Device<'_>> {
    let mut devices: Vec<Device<'_>> = Vec::new();
    for word in text.split_ascii_whitespace() {
        let Some((key, value)) = word.split_once(':') else { continue };
        if value.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()) {
            devices.push(Device { name: format!("drbd{key}"), words: Vec::new() });
        } else if let Some(device) = devices.last_mut() {
            device.words.push((key, value));
        }
    }
    devices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_device_that_is_not_configured_has_no_numbers() {
        let folder = tree(&[(
            "proc/drbd",
            "version: 8.4.3 (api:1/proto:86-101)\n 0: cs:Unconfigured\n 2: cs:Connected ro:Primary ds:UpToDate/\n    ns:2 nr:3\n",
        )]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(
            samples,
            [
                "node_drbd_network_sent_bytes_total{device=\"drbd2\"} 2048",
                "node_drbd_network_received_bytes_total{device=\"drbd2\"} 3",
                "node_drbd_disk_state_is_up_to_date{device=\"drbd2\",node=\"local\"} 1",
                "node_drbd_disk_state_is_up_to_date{device=\"drbd2\",node=\"remote\"} 0",
                "node_drbd_connected{device=\"drbd0\"} 0",
                "node_drbd_connected{device=\"drbd2\"} 1",
            ]
        );
    }

    #[test]
    fn a_number_that_is_none_names_its_file_and_key() {
        let folder = tree(&[("proc/drbd", " 0: cs:Connected ns:many\n")]);
        let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
        assert!(error.ends_with("proc/drbd: a number expected: \"ns:many\""), "{error}");
    }

    #[test]
    fn a_host_without_drbd_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
