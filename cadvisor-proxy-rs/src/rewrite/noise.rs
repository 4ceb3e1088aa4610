//! Series that `--drop` names: by the kind of their cgroup, and by what is known of it.

use super::labels::Set;
use super::options::{Noise, Settings};
use super::whose::{Kind, Known};

/// Whether a series goes, `network` saying whether it is one of a network.
pub(super) fn is_noise(
    settings: &Settings,
    network: bool,
    known: Option<&Known>,
    set: &Set<'_>,
) -> bool {
    let Some(known) = known else { return false };
    let drops = |noise| settings.drops(noise);
    drops(Noise::Slices) && known.kind == Kind::Slice
        || drops(Noise::Root) && known.kind == Kind::Root
        || drops(Noise::PodCgroups) && known.kind == Kind::Pod
        || drops(Noise::Dead) && known.dead
        || drops(Noise::HostNetwork) && network && known.host_network
        || drops(Noise::NoPod)
            && known.kind != Kind::None
            && set.value(b"pod").is_empty()
            && set.value(b"pod_name").is_empty()
        || drops(Noise::Pause) && !network && known.kind == Kind::Container && is_pause(known, set)
}

/// With docker and CRI-O a sandbox is called `POD`; with containerd its image tells.
fn is_pause(known: &Known, set: &Set<'_>) -> bool {
    let image = || memchr::memmem::find(set.value(b"image"), b"pause").is_some();
    known.sandbox
        || set.value(b"container") == b"POD"
        || set.value(b"container").is_empty() && image()
}
