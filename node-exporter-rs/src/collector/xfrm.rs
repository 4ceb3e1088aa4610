//! `node_xfrm_*`: packets that IP security dropped, from `/proc/net/xfrm_stat`
//! (`Documentation/networking/xfrm_proc.rst`).

use exporter_toolkit::family::CounterMark;
use exporter_toolkit::{Described, Exposition};

use super::fields::{Field, describe, position};
use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

const fn field(
    name: &'static str,
    family: &'static str,
    help: &'static str,
) -> Field<CounterMark, 0> {
    Field::new(name, family, [], help)
}

#[rustfmt::skip]
static FIELDS: [Field<CounterMark, 0>; 28] = [
    field("XfrmInError", "node_xfrm_in_error_packets_total", "Packets in that failed in a way that no other counter names."),
    field("XfrmInBufferError", "node_xfrm_in_buffer_error_packets_total", "Packets in for which there was no buffer."),
    field("XfrmInHdrError", "node_xfrm_in_hdr_error_packets_total", "Packets in with a malformed header."),
    field("XfrmInNoStates", "node_xfrm_in_no_states_packets_total", "Packets in without a security association: wrong SPI, address or protocol."),
    field("XfrmInStateProtoError", "node_xfrm_in_state_proto_error_packets_total", "Packets in that their protocol refused, as with a wrong key."),
    field("XfrmInStateModeError", "node_xfrm_in_state_mode_error_packets_total", "Packets in that their mode (tunnel, transport) refused."),
    field("XfrmInStateSeqError", "node_xfrm_in_state_seq_error_packets_total", "Packets in whose sequence number was outside the window."),
    field("XfrmInStateExpired", "node_xfrm_in_state_expired_packets_total", "Packets in whose security association had expired."),
    field("XfrmInStateMismatch", "node_xfrm_in_state_mismatch_packets_total", "Packets in that do not fit their security association, as by the kind of UDP encapsulation."),
    field("XfrmInStateInvalid", "node_xfrm_in_state_invalid_packets_total", "Packets in whose security association was not valid."),
    field("XfrmInTmplMismatch", "node_xfrm_in_tmpl_mismatch_packets_total", "Packets in whose security associations are not those that the policy asks for."),
    field("XfrmInNoPols", "node_xfrm_in_no_pols_packets_total", "Packets in with security associations that no policy asks for."),
    field("XfrmInPolBlock", "node_xfrm_in_pol_block_packets_total", "Packets in that a policy blocks."),
    field("XfrmInPolError", "node_xfrm_in_pol_error_packets_total", "Packets in whose policy could not be found out."),
    field("XfrmOutError", "node_xfrm_out_error_packets_total", "Packets out that failed in a way that no other counter names."),
    field("XfrmOutBundleGenError", "node_xfrm_out_bundle_gen_error_packets_total", "Packets out for which no chain of transformations could be made."),
    field("XfrmOutBundleCheckError", "node_xfrm_out_bundle_check_error_packets_total", "Packets out whose chain of transformations was found wrong."),
    field("XfrmOutNoStates", "node_xfrm_out_no_states_packets_total", "Packets out without a security association."),
    field("XfrmOutStateProtoError", "node_xfrm_out_state_proto_error_packets_total", "Packets out that their protocol refused."),
    field("XfrmOutStateModeError", "node_xfrm_out_state_mode_error_packets_total", "Packets out that their mode (tunnel, transport) refused."),
    field("XfrmOutStateSeqError", "node_xfrm_out_state_seq_error_packets_total", "Packets out for which no sequence number was left."),
    field("XfrmOutStateExpired", "node_xfrm_out_state_expired_packets_total", "Packets out whose security association had expired."),
    field("XfrmOutPolBlock", "node_xfrm_out_pol_block_packets_total", "Packets out that a policy blocks."),
    field("XfrmOutPolDead", "node_xfrm_out_pol_dead_packets_total", "Packets out whose policy was being removed."),
    field("XfrmOutPolError", "node_xfrm_out_pol_error_packets_total", "Packets out whose policy could not be found out."),
    field("XfrmFwdHdrError", "node_xfrm_fwd_hdr_error_packets_total", "Packets that may not be forwarded the way they were to go."),
    field("XfrmOutStateInvalid", "node_xfrm_out_state_invalid_packets_total", "Packets out whose security association was not valid, as an expired one."),
    field("XfrmAcquireError", "node_xfrm_acquire_error_packets_total", "Packets out whose security association was not yet negotiated."),
];

pub static SPEC: Spec = Spec {
    name: "xfrm",
    enabled: false,
    about: "Packets dropped by IPsec and why, from /proc/net/xfrm_stat.",
    flags: &[],
    families: &{
        let list: [&dyn Described; FIELDS.len()] = [&FIELDS[0].family; FIELDS.len()];
        describe(list, 0, &FIELDS)
    },
    build: |setup| {
        let file = setup.host.keep_proc("net/xfrm_stat").with_one_record();
        Ok(Box::new(Xfrm { file }))
    },
};

struct Xfrm {
    file: KeptFile,
}

impl Collector for Xfrm {
    /// Counters that this build does not know are left out, as the peer does.
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        for line in text.as_str().lines() {
            let (name, count) =
                parse(line).ok_or_else(|| text.wrong("a name and a count expected", line))?;
            if let Some(at) = position(&FIELDS, name) {
                out.family(&FIELDS[at].family).sample((), count);
            }
        }
        Ok(())
    }
}

fn parse(line: &str) -> Option<(&str, u64)> {
    let (name, count) = line.split_once([' ', '\t'])?;
    Some((name, count.trim_ascii().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_counter_that_a_kernel_lacks_is_a_missing_sample() {
        let folder = tree(&[("proc/net/xfrm_stat", "XfrmInError   \t7\nXfrmNew 3\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples, ["node_xfrm_in_error_packets_total 7"]);
        assert!(result.is_ok());
    }

    #[test]
    fn a_malformed_line_is_named_and_what_came_before_is_kept() {
        let folder = tree(&[("proc/net/xfrm_stat", "XfrmInError 7\nXfrmInHdrError x\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples.len(), 1);
        assert!(result.unwrap_err().to_string().contains("XfrmInHdrError x"));
    }

    #[test]
    fn a_kernel_without_ipsec_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
