//! Amounts of resources, which pods, nodes and quotas count: their units, and their names as labels.

use exporter_toolkit::LabelValue;

/// In what a resource is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    Core,
    Byte,
    Integer,
}

impl Unit {
    /// The unit of a resource that a container may ask for; `None` for those that the families leave out.
    pub(super) fn of(resource: &str) -> Option<Self> {
        match resource {
            "cpu" => Some(Self::Core),
            "memory" | "ephemeral-storage" | "storage" => Some(Self::Byte),
            _ if resource.starts_with("hugepages-") => Some(Self::Byte),
            _ if resource.starts_with("attachable-volumes-") => Some(Self::Byte),
            _ => is_extended(resource).then_some(Self::Integer),
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Byte => "byte",
            Self::Integer => "integer",
        }
    }
}

/// Whether a resource is an extended one, as a device plugin adds it: `DOMAIN/NAME` outside of Kubernetes' own domain.
fn is_extended(resource: &str) -> bool {
    let is_qualified = resource.split_once('/').is_some_and(|(domain, name)| {
        !domain.is_empty() && !name.is_empty() && !name.contains('/')
    });
    is_qualified && !resource.contains("kubernetes.io/") && !resource.starts_with("requests.")
}

/// The name of a resource as a label: what cannot stand in a label name becomes `_`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResourceName<'a>(pub(super) &'a str);

impl LabelValue for ResourceName<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let legal = |c: char| if c.is_ascii_alphanumeric() { c as u8 } else { b'_' };
        out.extend(self.0.chars().map(legal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_have_units() {
        for (resource, unit) in [
            ("cpu", Some(Unit::Core)),
            ("memory", Some(Unit::Byte)),
            ("ephemeral-storage", Some(Unit::Byte)),
            ("hugepages-2Mi", Some(Unit::Byte)),
            ("attachable-volumes-aws-ebs", Some(Unit::Byte)),
            ("nvidia.com/gpu", Some(Unit::Integer)),
            ("kubernetes.io/batteries", None),
            ("requests.nvidia.com/gpu", None),
            ("pods", None),
            ("a/b/c", None),
            ("/b", None),
        ] {
            assert_eq!(Unit::of(resource), unit, "{resource}");
        }
    }

    #[test]
    fn a_resources_name_keeps_letters_and_digits() {
        let mut out = Vec::new();
        ResourceName("nvidia.com/GPU-ü1").write(&mut out);
        assert_eq!(out, b"nvidia_com_GPU__1");
    }
}
