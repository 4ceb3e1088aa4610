//! The os-release file: `KEY=value` lines that a shell could read (os-release(5)).

/// The keys that are told, in small letters, which is how the labels are named.
pub(super) const LABELS: [&str; 12] = [
    "build_id",
    "id",
    "id_like",
    "image_id",
    "image_version",
    "name",
    "pretty_name",
    "variant",
    "variant_id",
    "version",
    "version_codename",
    "version_id",
];

#[derive(Debug, Default, PartialEq)]
pub(super) struct Release {
    /// In the order of [`LABELS`]; empty where the file does not tell.
    pub(super) values: [String; LABELS.len()],
    /// Seconds since the epoch.
    pub(super) support_end: Option<i64>,
}

impl Release {
    /// Lines that are no assignment are passed over; of a key that stands twice the last counts, as in a shell.
    pub(super) fn parse(text: &str) -> Self {
        let mut release = Self::default();
        for line in text.lines().map(str::trim_ascii).filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.split_once('=') else { continue };
            let key = key.strip_prefix("export ").unwrap_or(key).trim_ascii();
            if key == "SUPPORT_END" {
                release.support_end = midnight(&unquote(value));
            } else if let Some(at) = LABELS.iter().position(|label| *label == key.to_lowercase())
                && !key.contains(|letter: char| letter.is_lowercase())
            {
                release.values[at] = unquote(value);
            }
        }
        release
    }

    pub(super) fn get(&self, label: &str) -> &str {
        LABELS.iter().position(|known| *known == label).map_or("", |at| &self.values[at])
    }

    /// Major and minor of `VERSION_ID`, as 22.04; `None` where it does not begin with a number other than 0.
    pub(super) fn version(&self) -> Option<f64> {
        let text = self.get("version_id");
        let mut dots = 0;
        let end = text.find(|letter: char| {
            dots += usize::from(letter == '.');
            !(letter.is_ascii_digit() || letter == '.' && dots == 1)
        });
        let number: f64 = text.get(..end.unwrap_or(text.len()))?.parse().ok()?;
        (text.starts_with(|letter: char| letter.is_ascii_digit()) && number > 0.0).then_some(number)
    }
}

/// The value as a shell would take it: quotes go, and a backslash keeps what follows it, in single quotes itself.
fn unquote(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut quote = None;
    let mut letters = text.trim_ascii().chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            ('\\', None | Some('"')) => plain.extend(letters.next()),
            // A comment after the value.
            ('#', None) if plain.is_empty() || plain.ends_with([' ', '\t']) => break,
            _ => plain.push(letter),
        }
    }
    if text.trim_ascii().ends_with(['"', '\'']) {
        return plain;
    }
    plain.trim_ascii_end().to_owned()
}

/// When the day `2027-04-30` begins in UTC, in seconds since the epoch.
fn midnight(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let [year, month, day] = [parts.next()?, parts.next()?, parts.next()?].map(str::parse::<i64>);
    let (year, month, day) = (year.ok()?, month.ok()?, day.ok()?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month - 1).ok().filter(|before| *before < lengths.len())?;
    if parts.next().is_some()
        || !(1970..10_000).contains(&year)
        || !(1..=lengths[before]).contains(&day)
    {
        return None;
    }
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    Some((years + lengths[..before].iter().sum::<i64>() + day - 1) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn release(text: &str) -> Release {
        Release::parse(text)
    }

    #[test]
    fn values_are_read_as_a_shell_reads_them() {
        let text = "# a comment\nNAME=\"Big \\\"Linux\\\"\"\nID=big # other\nexport ID_LIKE='a b'\n\
                    VARIANT=\nodd line\nVERSION=\"1#2 \"\nid=small\nBUILD_ID=a\\#b\n";
        let release = release(text);
        assert_eq!(release.get("name"), "Big \"Linux\"");
        assert_eq!((release.get("id"), release.get("id_like")), ("big", "a b"));
        assert_eq!((release.get("version"), release.get("variant")), ("1#2 ", ""));
        assert_eq!(release.get("build_id"), "a#b");
    }

    #[test]
    fn a_version_is_its_first_two_numbers() {
        let version = |text| release(&format!("VERSION_ID={text}")).version();
        assert_eq!(version("\"20.04.2\""), Some(20.04));
        assert_eq!(version("12"), Some(12.0));
        assert_eq!(version("7."), Some(7.0));
        assert_eq!(version("41-beta"), Some(41.0));
        for none in ["", "rolling", "0", ".5", "v3"] {
            assert_eq!(version(none), None, "{none}");
        }
    }

    #[test]
    fn the_end_of_support_is_the_days_beginning() {
        assert_eq!(midnight("1970-01-01"), Some(0));
        assert_eq!(midnight("2000-02-29"), Some(951_782_400));
        assert_eq!(midnight("2027-04-30"), Some(1_809_043_200));
        assert_eq!(release("SUPPORT_END=\"2026-11-23\"").support_end, Some(1_795_392_000));
        for none in ["", "2027", "2027-02-29", "2027-13-01", "2027-04-31", "2027-04-30-1", "x-1-1"]
        {
            assert_eq!(midnight(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "((NAME|VERSION_ID|SUPPORT_END)?=?[\\PC\"'\\\\#]{0,12}\\n){0,4}") {
            let _version = release(&text).version();
        }
    }
}
