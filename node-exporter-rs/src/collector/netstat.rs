//! `node_netstat_*`: the counters of the network protocols, from `/proc/net/netstat`, `/proc/net/snmp` and
//! `/proc/net/snmp6`.
//!
//! The files hold some hundred counters under names that hardly ever change, so which of them are wanted is worked out
//! once for each header and looked up again only when that header is another.

mod layout;
mod names;

use crate::pattern::Pattern;
use exporter_toolkit::Exposition;

use self::layout::Layouts;
use self::names::FAMILIES;
use super::{CollectError, Collector, Spec};
use crate::flags::Flag;
use crate::host::{KeptFile, Text};

static FIELDS: Flag<Pattern> = Flag::new(
    "collector.netstat.fields",
    "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
    "Counters to report, as a pattern over Protocol_Counter.",
);

pub static SPEC: Spec = Spec {
    name: "netstat",
    enabled: true,
    about: "Counters of network protocols, from /proc/net/netstat, snmp and snmp6.",
    flags: &[&FIELDS],
    families: FAMILIES,
    build: |setup| {
        let keep = |file| setup.host.keep_proc(file).with_one_record();
        Ok(Box::new(Netstat {
            pairs: [keep("net/netstat"), keep("net/snmp")],
            snmp6: keep("net/snmp6"),
            layouts: Layouts::new(setup.flags.get(&FIELDS)?),
        }))
    },
};

struct Netstat {
    /// Files of pairs of lines: a protocol with names above the same protocol with values.
    pairs: [KeptFile; 2],
    /// A file of a name and a value a line.
    snmp6: KeptFile,
    layouts: Layouts,
}

impl Collector for Netstat {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        self.layouts.start();
        let mut verdict = Ok(());
        for file in &mut self.pairs {
            let result = file.read_str().and_then(|text| pairs(text, &mut self.layouts, out));
            verdict = verdict.and(result);
        }
        // A kernel without IPv6 has no such file.
        match self.snmp6.read_str() {
            Err(error) if error.is_no_data() => verdict,
            Err(error) => verdict.and(Err(error)),
            Ok(text) => verdict.and(lines(text, &mut self.layouts, out)),
        }
    }
}

/// `TcpExt: SyncookiesSent …` above `TcpExt: 0 …` (net/ipv4/proc.c).
fn pairs(text: Text<'_>, layouts: &mut Layouts, out: &mut Exposition) -> Result<(), CollectError> {
    let mut lines = text.lines();
    while let Some(header) = lines.next() {
        let (protocol, names) =
            header.split_once(':').ok_or_else(|| text.wrong("no protocol with a colon", header))?;
        let line = lines.next().unwrap_or_default();
        let values = line
            .strip_prefix(protocol)
            .and_then(|rest| rest.strip_prefix(':'))
            .ok_or_else(|| text.wrong("no values below the names of this protocol", protocol))?;
        let keys = names.split_ascii_whitespace().map(|name| (protocol, name));
        let layout = layouts.next_line(header, keys);
        layout
            .write(values.split_ascii_whitespace(), out)
            .map_err(|(problem, _)| text.wrong(problem, line))?;
    }
    Ok(())
}

/// `Ip6InReceives  7` (net/ipv6/proc.c): the protocol ends with the 6. Lines without one are of no protocol.
fn lines(text: Text<'_>, layouts: &mut Layouts, out: &mut Exposition) -> Result<(), CollectError> {
    let pairs = || {
        text.as_str().lines().filter_map(|line| {
            let (key, value) = line.split_at(memchr::memchr2(b' ', b'\t', line.as_bytes())?);
            let six = memchr::memchr(b'6', key.as_bytes())?;
            Some((key.split_at(six + 1), value.trim_ascii(), line))
        })
    };
    let layout = layouts.next(pairs().map(|(key, ..)| key));
    layout
        .write(pairs().map(|(_, value, _)| value), out)
        .map_err(|(problem, at)| text.wrong(problem, pairs().nth(at).map_or("", |(.., line)| line)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{collect, tree};
    use super::*;

    const NETSTAT: (&str, &str) = ("proc/net/netstat", "IpExt: InOctets\nIpExt: 5\n");

    fn error(snmp: &str) -> String {
        let folder = tree(&[NETSTAT, ("proc/net/snmp", snmp)]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(samples.contains(&"node_netstat_IpExt_InOctets 5".to_owned()), "{samples:?}");
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_is_malformed_names_its_file_and_spoils_no_other() {
        for (snmp, problem) in [
            ("Tcp: InSegs InErrs\nTcp: 1\n", "fewer values than names"),
            ("Tcp: InSegs\nTcp: 1 2\n", "more values than names"),
            ("Tcp: InSegs\nTcp: x\n", "a number expected"),
            ("Tcp: InSegs\nUdp: 1\n", "no values below the names of this protocol"),
            ("Tcp: InSegs\n", "no values below the names of this protocol"),
            ("Tcp\n", "no protocol with a colon"),
        ] {
            let found = error(snmp);
            assert!(found.contains("net/snmp: ") && found.contains(problem), "{snmp}: {found}");
        }
    }

    #[test]
    fn the_pattern_says_which_counters_are_reported() {
        let snmp = ("proc/net/snmp", "Tcp: RtoMin MaxConn\nTcp: 200 -1\n");
        let folder = tree(&[NETSTAT, snmp]);
        let flags = [("collector.netstat.fields", "^Tcp_")];
        let (samples, _) = collect(&SPEC, folder.path(), &flags);
        assert_eq!(samples, ["node_netstat_Tcp_RtoMin 200", "node_netstat_Tcp_MaxConn -1"]);
    }

    #[test]
    fn a_counter_that_stands_twice_is_reported_once() {
        let snmp = ("proc/net/snmp", "IpExt: InOctets InOctets\nIpExt: 6 7\n");
        let folder = tree(&[NETSTAT, snmp]);
        assert_eq!(collect(&SPEC, folder.path(), &[]).0, ["node_netstat_IpExt_InOctets 5"]);
    }
}
