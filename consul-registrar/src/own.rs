//! `consul_registrar_*`: what the agent says about itself.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Long-lived counters.
#[derive(Debug, Default)]
pub struct Counts {
    pub passes: Counter,
    pub transactions: Counter,
    pub registered: Counter,
    pub deregistered: Counter,
    pub lists: Counter,
    pub consul_errors: Counter,
    pub files_written: Counter,
    pub file_errors: Counter,
}

impl Counts {
    /// Names without `_total`, which the registry adds.
    pub fn register(&self, registry: &mut Registry) {
        let counters: [(&str, &str, &Counter); 8] = [
            ("passes", "Passes of the reconciler.", &self.passes),
            ("consul_transactions", "Transactions sent to Consul.", &self.transactions),
            ("consul_registered", "Rows written to Consul.", &self.registered),
            ("consul_deregistered", "Rows deleted from Consul.", &self.deregistered),
            ("consul_lists", "Lists of our node read from Consul.", &self.lists),
            ("consul_errors", "Failures that ended a session with Consul.", &self.consul_errors),
            ("files_written", "Files of file_sd that were replaced.", &self.files_written),
            ("file_errors", "Files of file_sd that could not be written.", &self.file_errors),
        ];
        for (name, help, counter) in counters {
            // The registry ends the sentence itself.
            let help = help.trim_end_matches('.');
            registry.register(format!("consul_registrar_{name}"), help, counter.clone());
        }
    }
}
