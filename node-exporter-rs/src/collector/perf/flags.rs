//! Values of the flags: which CPUs, which tracepoints.

use std::fmt;

use crate::flags::FlagValue;

/// Numbers of CPUs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Cpus(pub(super) Vec<u16>);

/// `None` for the empty text: all.
impl FlagValue for Option<Cpus> {
    const WORD: &str = "LIST";

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let wrong = || format!("{part}: expected a CPU, FIRST-LAST, or FIRST-LAST:STEP");
            cpus.extend(range(part).ok_or_else(wrong)?);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(Some(Cpus(cpus)))
    }
}

fn range(part: &str) -> Option<impl Iterator<Item = u16>> {
    let (ends, step) = match part.split_once(':') {
        Some((ends, step)) => (ends, step.parse().ok().filter(|&step: &usize| step > 0)?),
        None => (part, 1),
    };
    let (first, last) = ends.split_once('-').unwrap_or((ends, ends));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then(|| (first..=last).step_by(step))
}

/// A tracepoint of the kernel by its folder and its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Tracepoint {
    pub subsystem: String,
    pub event: String,
}

impl FlagValue for Tracepoint {
    const WORD: &str = "SUBSYSTEM:NAME";

    fn read(text: &str) -> Result<Self, String> {
        let plain = |name: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            !name.is_empty() && name.bytes().all(known)
        };
        match text.split_once(':') {
            Some((subsystem, event)) if plain(subsystem) && plain(event) => {
                Ok(Self { subsystem: subsystem.to_owned(), event: event.to_owned() })
            }
            _ => Err("expected SUBSYSTEM:EVENT".to_owned()),
        }
    }
}

impl fmt::Display for Tracepoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.subsystem, self.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_single_or_ranges_with_steps() {
        let cpus = |text: &str| Option::<Cpus>::read(text).unwrap().unwrap().0;
        assert_eq!(cpus("3,0-1"), [0, 1, 3]);
        assert_eq!(cpus("1-10:5,1"), [1, 6]);
        assert_eq!(Option::<Cpus>::read("").unwrap(), None);
        for wrong in ["a", "1-", "3-1", "1-2-3", "1-4:0", "1,", "-1"] {
            assert!(Option::<Cpus>::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tracepoint_is_two_plain_names() {
        let point = Tracepoint::read("sched:sched_process_exec").unwrap();
        assert_eq!(
            (point.subsystem.as_str(), point.event.as_str()),
            ("sched", "sched_process_exec")
        );
        for wrong in ["", "sched", "a:b:c", ":b", "../x:y"] {
            assert!(Tracepoint::read(wrong).is_err(), "{wrong}");
        }
    }
}
