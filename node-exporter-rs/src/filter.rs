//! Which devices a collector leaves out, by an include or an exclude pattern.

use crate::flags::{AnyFlag, Flag, FlagError, Flags};
use crate::pattern::Pattern;

static NETWORK_INCLUDE: PatternFlag = Flag::new(
    "collector.network.device-include",
    "",
    "Interfaces that every collector of network devices reports, as a pattern; a collector's own flag goes before it.",
);
static NETWORK_EXCLUDE: PatternFlag = Flag::new(
    "collector.network.device-exclude",
    "",
    "Interfaces that every collector of network devices leaves out, as a pattern; a collector's own flag goes before it.",
);
/// Flags of no single collector.
pub static SHARED: &[&dyn AnyFlag] = &[&NETWORK_INCLUDE, &NETWORK_EXCLUDE];

/// Unanchored patterns, as the peer has them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    include: Option<Pattern>,
    exclude: Option<Pattern>,
}

/// The flag type of a pattern that may be absent.
pub type PatternFlag = Flag<Option<Pattern>>;

impl Filter {
    /// Reads both flags. Giving both is an error; giving `include` puts the default of `exclude` out of force.
    pub fn from_flags(
        flags: &Flags,
        include: &PatternFlag,
        exclude: &PatternFlag,
    ) -> Result<Self, FlagError> {
        flags.exclusive(include, exclude)?;
        let include = flags.get(include)?;
        let exclude = if include.is_some() { None } else { flags.get(exclude)? };
        Ok(Self { include, exclude })
    }

    /// The filter that all collectors of network devices share, for one without flags of its own.
    pub fn from_network_flags(flags: &Flags) -> Result<Self, FlagError> {
        Self::from_flags(flags, &NETWORK_INCLUDE, &NETWORK_EXCLUDE)
    }

    /// As [`Filter::from_flags`], for a collector of network devices: where neither of its flags is given, those that all
    /// such collectors share put its defaults out of force.
    pub fn from_device_flags(
        flags: &Flags,
        include: &PatternFlag,
        exclude: &PatternFlag,
    ) -> Result<Self, FlagError> {
        if flags.given(include) || flags.given(exclude) || !Self::is_shared(flags) {
            return Self::from_flags(flags, include, exclude);
        }
        Self::from_network_flags(flags)
    }

    /// True where a flag is given that all collectors of network devices share.
    pub fn is_shared(flags: &Flags) -> bool {
        flags.given(&NETWORK_INCLUDE) || flags.given(&NETWORK_EXCLUDE)
    }

    /// Leaves out what the pattern matches.
    pub fn excluding(pattern: Pattern) -> Self {
        Self { include: None, exclude: Some(pattern) }
    }

    /// Reads both flags of a collector whose peer takes them together: a name must then pass both.
    pub fn from_both_flags(
        flags: &Flags,
        include: &PatternFlag,
        exclude: &PatternFlag,
    ) -> Result<Self, FlagError> {
        Ok(Self { include: flags.get(include)?, exclude: flags.get(exclude)? })
    }

    /// True for a name that the exclude pattern matches, or that the include pattern does not.
    pub fn ignores(&self, name: &str) -> bool {
        self.exclude.as_ref().is_some_and(|pattern| pattern.is_match(name))
            || self.include.as_ref().is_some_and(|pattern| !pattern.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static INCLUDE: PatternFlag = Flag::new("include", "", "Include.");
    static EXCLUDE: PatternFlag = Flag::new("exclude", "^veth", "Exclude.");

    fn filter(given: &[(&str, &str)]) -> Filter {
        Filter::from_flags(&Flags::of(given), &INCLUDE, &EXCLUDE).unwrap()
    }

    #[test]
    fn an_include_pattern_puts_the_default_exclude_out_of_force() {
        assert!(filter(&[]).ignores("veth0"));
        assert!(!filter(&[]).ignores("eth0"));
        let only = filter(&[("include", "eth0$")]);
        assert!(!only.ignores("veth0"));
        assert!(only.ignores("lo"));
    }

    #[test]
    fn a_shared_flag_holds_where_no_own_one_is_given() {
        let filter = |given: &[(&str, &str)]| {
            Filter::from_device_flags(&Flags::of(given), &INCLUDE, &EXCLUDE).unwrap()
        };
        let shared = ("collector.network.device-include", "^(veth0|eth0)$");
        assert!(filter(&[]).ignores("veth0"));
        assert!(!filter(&[shared]).ignores("veth0") && filter(&[shared]).ignores("eth1"));
        let own = filter(&[shared, ("exclude", "^eth0$")]);
        assert!(own.ignores("eth0") && !own.ignores("eth1"));
        let both = [shared, ("collector.network.device-exclude", "x")];
        assert!(Filter::from_network_flags(&Flags::of(&both)).is_err());
    }
}
