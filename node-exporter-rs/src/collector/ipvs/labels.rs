//! Which labels a backend's series have, by `--collector.ipvs.backend-labels`.

use std::fmt::Write as _;

use exporter_toolkit::LabelValue;
use exporter_toolkit::name::LabelName;

use super::backends::Backend;
use crate::flags::FlagValue;

/// The labels there are, in the order in which they are written.
static NAMES: [(LabelName, Label); 6] = [
    (LabelName::fixed("local_address"), Label::LocalAddress),
    (LabelName::fixed("local_port"), Label::LocalPort),
    (LabelName::fixed("remote_address"), Label::RemoteAddress),
    (LabelName::fixed("remote_port"), Label::RemotePort),
    (LabelName::fixed("proto"), Label::Proto),
    (LabelName::fixed("local_mark"), Label::LocalMark),
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Label {
    LocalAddress,
    LocalPort,
    RemoteAddress,
    RemotePort,
    Proto,
    LocalMark,
}

/// The chosen labels.
#[derive(Clone, Debug)]
pub(super) struct BackendLabels(Vec<&'static (LabelName, Label)>);

impl FlagValue for BackendLabels {
    const WORD: &str = "LIST";

    fn read(text: &str) -> Result<Self, String> {
        let given = || text.split(',').filter(|name| !name.is_empty());
        let known = |name: &str| NAMES.iter().any(|(known, _)| known.as_str() == name);
        if let Some(unknown) = given().find(|name| !known(name)) {
            let mut problem = format!("there is no label {unknown}, only");
            for (name, _) in &NAMES {
                // Writing to a String cannot fail.
                let _done = write!(problem, " {}", name.as_str());
            }
            return Err(problem);
        }
        let chosen = NAMES.iter().filter(|(name, _)| given().any(|g| g == name.as_str()));
        Ok(Self(chosen.collect()))
    }
}

impl BackendLabels {
    /// The backend with what is no label left out, so that backends of one series are equal.
    pub(super) fn reduce(&self, backend: Backend) -> Backend {
        let has = |label| self.0.iter().any(|(_, chosen)| *chosen == label);
        Backend {
            proto: backend.proto.filter(|_| has(Label::Proto)),
            local_address: backend.local_address.filter(|_| has(Label::LocalAddress)),
            local_port: backend.local_port.filter(|_| has(Label::LocalPort)),
            local_mark: backend.local_mark.filter(|_| has(Label::LocalMark)),
            remote_address: backend.remote_address.filter(|_| has(Label::RemoteAddress)),
            remote_port: backend.remote_port.filter(|_| has(Label::RemotePort)),
        }
    }

    /// The labels of one backend.
    pub(super) fn of<'a>(
        &'a self,
        backend: &'a Backend,
    ) -> impl Iterator<Item = (&'a LabelName, Part<'a>)> {
        self.0.iter().map(|(name, label)| (name, Part(backend, *label)))
    }
}

/// One label's value; what a service does not have is empty.
pub(super) struct Part<'a>(&'a Backend, Label);

impl LabelValue for Part<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let Self(backend, label) = self;
        let address = match label {
            Label::LocalAddress => backend.local_address,
            Label::RemoteAddress => backend.remote_address,
            _ => None,
        };
        let port = match label {
            Label::LocalPort => backend.local_port,
            Label::RemotePort => backend.remote_port,
            _ => None,
        };
        if let Some(address) = address {
            format_args!("{address}").write(out);
        } else if let Some(port) = port {
            port.write(out);
        } else if let (Label::Proto, Some(proto)) = (label, backend.proto) {
            proto.word().write(out);
        } else if let (Label::LocalMark, Some(mark)) = (label, backend.local_mark) {
            format_args!("{mark:08X}").write(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_label_is_named_with_those_there_are() {
        let error = BackendLabels::read("proto,colour").unwrap_err();
        assert!(error.starts_with("there is no label colour, only local_address"), "{error}");
    }

    #[test]
    fn labels_have_one_order_and_may_be_none() {
        let labels = BackendLabels::read("proto,,local_port,proto").unwrap();
        let names: Vec<_> = labels.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["local_port", "proto"]);
        assert!(BackendLabels::read("").unwrap().0.is_empty());
    }
}
