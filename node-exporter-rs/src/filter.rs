//! Which devices a collector leaves out, by an include or an exclude pattern.

use crate::pattern::Pattern;

use crate::flags::{Flag, FlagError, Flags};

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
}
