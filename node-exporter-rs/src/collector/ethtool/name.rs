//! What a driver's statistic is called as a family.

/// Replaces runs of what a metric name cannot hold, with the underscores around them, by one underscore.
pub(super) fn sanitize(statistic: &str) -> String {
    let mut name = String::with_capacity(statistic.len());
    let mut rest = statistic;
    let foreign = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    while let Some(at) = rest.find(foreign) {
        let (before, after) = rest.split_at(at);
        name.push_str(before.trim_end_matches('_'));
        name.push('_');
        // A run ends with underscores, which belong to it; another foreign character after them begins the next run.
        let after = after.trim_start_matches(foreign);
        rest = after.trim_start_matches('_');
    }
    name.push_str(rest);
    name
}

/// Statistics that nearly every driver has, by names of their own.
const COMMON: [(&str, &str); 7] = [
    ("rx_bytes", "node_ethtool_received_bytes_total"),
    ("rx_dropped", "node_ethtool_received_dropped_total"),
    ("rx_errors", "node_ethtool_received_errors_total"),
    ("rx_packets", "node_ethtool_received_packets_total"),
    ("tx_bytes", "node_ethtool_transmitted_bytes_total"),
    ("tx_errors", "node_ethtool_transmitted_errors_total"),
    ("tx_packets", "node_ethtool_transmitted_packets_total"),
];

/// The family of a [`sanitize`]d statistic: in lower case, with `rx` and `tx` spelled out where they stand as words.
pub(super) fn family(statistic: &str) -> String {
    if let Some((_, family)) = COMMON.iter().find(|(name, _)| *name == statistic) {
        return (*family).to_owned();
    }
    let lower = statistic.to_ascii_lowercase();
    let words = lower.trim_start_matches('_');
    let spelled = spell(&spell(words, "rx", "received"), "tx", "transmitted");
    format!("node_ethtool_{spelled}")
}

/// As the peer's expression replaces: an underscore between two of the words belongs to the first, so the second stays.
fn spell(words: &str, short: &str, long: &str) -> String {
    let mut spelled = Vec::new();
    let mut taken = false;
    for word in words.split('_') {
        taken = word == short && !taken;
        spelled.push(if taken { long } else { word });
    }
    spelled.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn foreign_characters_and_the_underscores_around_them_become_one() {
        for (statistic, name) in [
            ("port.rx_dropped", "port_rx_dropped"),
            ("[0]: rx_packets", "_0_rx_packets"),
            ("a_-_b", "a_b"),
            ("a. -b__c", "a_b__c"),
            ("a_._", "a_"),
            ("", ""),
        ] {
            assert_eq!(sanitize(statistic), name, "{statistic}");
        }
    }

    #[test]
    fn directions_are_spelled_out_where_they_are_words() {
        for (statistic, family_due) in [
            ("rx_errors", "node_ethtool_received_errors_total"),
            ("RX_errors", "node_ethtool_received_errors"),
            ("rx_tx_rx", "node_ethtool_received_transmitted_received"),
            ("rx_rx_rx", "node_ethtool_received_rx_received"),
            ("prx_rxb", "node_ethtool_prx_rxb"),
            ("_0_rx_packets", "node_ethtool_0_received_packets"),
            ("tx", "node_ethtool_transmitted"),
        ] {
            assert_eq!(family(statistic), family_due, "{statistic}");
        }
    }

    proptest! {
        #[test]
        fn every_family_is_a_legal_name(statistic in ".*") {
            let family = family(&sanitize(&statistic));
            prop_assert!(exporter_toolkit::name::is_metric_name(family.as_bytes()), "{}", family);
        }
    }
}
