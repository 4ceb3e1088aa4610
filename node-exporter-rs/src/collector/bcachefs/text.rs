//! The texts of `/sys/fs/bcachefs/UUID`, which are made for people.

/// A number that `bch2_prt_human_readable_u64` may have shortened, `2.05G`; whole, as the peer has it.
pub(super) fn human(text: &str) -> Option<f64> {
    let text = text.trim();
    let last = text.chars().next_back()?.to_ascii_uppercase();
    let (digits, unit) = match "KMGTPE".find(last) {
        Some(power) => {
            let digits = text.get(..text.len() - 1)?;
            (digits.trim_end(), 1024_f64.powi(i32::try_from(power).ok()? + 1))
        }
        None => (text, 1.0),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value: f64 = digits.parse().ok().filter(|_| plain)?;
    Some((value * unit).trunc())
}

/// A counter's value over the file system's life, which is what survives a mount.
pub(super) fn since_creation(text: &str) -> Option<f64> {
    human(text.lines().find_map(|line| line.strip_prefix("since filesystem creation:"))?)
}

/// The rows of a table below its heading: a name, which a colon may end, and two numbers. A repeated name counts once.
pub(super) fn table(text: &str) -> Vec<(&str, f64, f64)> {
    first_of_each(text.lines().skip(1).filter_map(row), |row| row.0)
}

fn row(line: &str) -> Option<(&str, f64, f64)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let name = name.strip_suffix(':').unwrap_or(name);
    Some((name, human(words.next()?)?, human(words.next()?)?))
}

/// Kinds of errors and how often they were met; when last is not asked.
pub(super) fn errors(text: &str) -> Vec<(&str, u64)> {
    let rows = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        Some((words.next()?, words.next()?.parse().ok()?))
    });
    first_of_each(rows, |row| row.0)
}

/// Bytes read and written, by what they hold: sections `read:` and `write:` with a `kind : bytes` a line.
pub(super) fn io_done(text: &str) -> Vec<(&str, &str, u64)> {
    let mut section = None;
    let rows = text.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once(':')?;
        if value.is_empty() {
            section = Some(name).filter(|name| matches!(*name, "read" | "write"));
            return None;
        }
        Some((section?, name.trim_end(), value.trim().parse().ok()?))
    });
    first_of_each(rows, |row| (row.0, row.1))
}

/// Errors of a device over the file system's life: the section that says so, up to the next.
pub(super) fn io_errors(text: &str) -> Vec<(&str, u64)> {
    let heading = |line: &&str| line.starts_with("IO errors since ");
    let mut lines = text.lines();
    if !lines.any(|line| line.starts_with("IO errors since filesystem creation")) {
        return Vec::new();
    }
    let rows = lines.take_while(|line| !heading(line)).filter_map(|line| {
        let (name, value) = line.trim().split_once(':')?;
        Some((name.trim_end(), value.trim().parse().ok()?))
    });
    first_of_each(rows, |row| row.0)
}

/// Leaves out rows whose key an earlier one has: they would be one series.
fn first_of_each<T, K: PartialEq>(rows: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut kept = Vec::new();
    for row in rows {
        if kept.iter().all(|other| key(other) != key(&row)) {
            kept.push(row);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shortened_numbers_are_spelled_out() {
        for (text, value) in
            [("0", 0.0), (" 720\n", 720.0), ("2.05G", 2_201_170_739.0), ("62.5k", 64000.0)]
        {
            assert_eq!(human(text), Some(value), "{text}");
        }
        for text in ["", "k", "1.5Q", "-1", "inf", "1é"] {
            assert_eq!(human(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_count_since_creation_is_taken() {
        let text = "since mount:                   7\nsince filesystem creation:     1.5k\n";
        assert_eq!(since_creation(text), Some(1536.0));
        assert_eq!(since_creation("since mount: 7\n"), None);
    }

    #[test]
    fn a_table_has_a_heading_and_names_once() {
        let text = "  nr size\ninitial:  3 100k\nshort 1\ninitial: 9 9\nlz4 1 2 3\n";
        assert_eq!(table(text), [("initial", 3.0, 102_400.0), ("lz4", 1.0, 2.0)]);
    }

    #[test]
    fn errors_may_lack_their_time() {
        let text = "bset_bad_csum  2  1767112063\nodd\nnot_set 11299659571772285102\n";
        assert_eq!(errors(text), [("bset_bad_csum", 2), ("not_set", 11_299_659_571_772_285_102)]);
    }

    #[test]
    fn a_devices_io_is_read_by_section() {
        let text = "user : 1\nread:\nsb          :       86016\nuser        :x\nwrite:\nsb:5\nother:\nsb:6\n";
        assert_eq!(io_done(text), [("read", "sb", 86016), ("write", "sb", 5)]);
        let text = "IO errors since 8 y ago\n  read: 1\nIO errors since filesystem creation\n  read:    4\n  checksum:5\nIO errors since 1 d ago\n  read: 9\n";
        assert_eq!(io_errors(text), [("read", 4), ("checksum", 5)]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([a-zé:.]|[0-9kM ]|\n|read:|IO errors since filesystem creation){0,40}") {
            human(&text);
            since_creation(&text);
            table(&text);
            errors(&text);
            io_done(&text);
            io_errors(&text);
        }
    }
}
