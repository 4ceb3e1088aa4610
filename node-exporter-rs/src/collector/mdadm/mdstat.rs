//! The text of `/proc/mdstat`.

/// An array.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Array<'a> {
    pub name: &'a str,
    pub state: State,
    pub active: Option<u64>,
    pub required: Option<u64>,
    pub failed: usize,
    pub spare: usize,
    pub blocks: Option<u64>,
    pub synced: Option<u64>,
}

/// What an array does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum State {
    Active,
    Inactive,
    Recovering,
    Resync,
    Check,
    /// What has no series of its own: reshaping, broken.
    #[default]
    Other,
}

impl State {
    /// The states that have a series, with its label.
    pub(super) const SHOWN: [(Self, &str); 5] = [
        (Self::Active, "active"),
        (Self::Inactive, "inactive"),
        (Self::Recovering, "recovering"),
        (Self::Resync, "resync"),
        (Self::Check, "check"),
    ];
}

/// The arrays, and the first line that is none though it stands where one should.
pub(super) fn parse(text: &str) -> (Vec<Array<'_>>, Option<(&'static str, &str)>) {
    let (mut arrays, mut wrong) = (Vec::<Array<'_>>::new(), None);
    let mut inside = false;
    for line in text.lines() {
        let heading = line.starts_with("Personalities") || line.starts_with("unused");
        if line.trim_ascii().is_empty() || heading {
            inside = false;
        } else if line.starts_with([' ', '\t']) {
            if let Some(array) = arrays.last_mut().filter(|_| inside) {
                array.detail(line);
            }
        } else if let Some(array) = Array::head(line) {
            inside = arrays.iter().all(|other| other.name != array.name);
            if inside {
                arrays.push(array);
            }
        } else {
            inside = false;
            wrong = wrong.or(Some(("no state of the array", line)));
        }
    }
    (arrays, wrong)
}

impl<'a> Array<'a> {
    /// `md0 : active (read-only) raid1 sda1[0] sdb1[1](F)`.
    fn head(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (name, _colon, state) = (words.next()?, words.next()?, words.next()?);
        let mut array = Self { name, ..Self::default() };
        let level = words.clone().find(|word| !word.starts_with('(')).unwrap_or_default();
        for word in words.filter(|word| word.contains('[')) {
            array.failed += usize::from(word.contains("(F)"));
            array.spare += usize::from(word.contains("(S)"));
        }
        match state {
            "active" => array.state = State::Active,
            "inactive" => array.state = State::Inactive,
            _ => {}
        }
        // Levels without redundancy print no `[2/2]`: all their disks are needed and at work.
        if matches!(level, "raid0" | "linear") {
            array.required = Some(line.matches('[').count() as u64);
        } else if state == "inactive" {
            array.required = Some(0);
        }
        array.active = array.required;
        Some(array)
    }

    /// A line below the head: size and disks, or how far a sync is.
    fn detail(&mut self, line: &str) {
        if line.contains(" blocks") {
            self.size(line);
        } else if let Some(state) = sync(line) {
            self.state = state;
            self.synced = if line.contains("DELAYED") || line.contains("PENDING") {
                Some(0)
            } else {
                progress(line)
            };
        }
    }

    /// `195310144 blocks super 1.2 [2/1] [U_]`.
    fn size(&mut self, line: &str) {
        self.blocks = line.split_ascii_whitespace().next().and_then(|size| size.parse().ok());
        self.synced = self.blocks;
        if self.required.is_some() {
            return;
        }
        let disks = line.split_ascii_whitespace().find_map(|word| {
            let (required, active) = word.strip_prefix('[')?.strip_suffix(']')?.split_once('/')?;
            Some((required.parse().ok()?, active.parse().ok()?))
        });
        if let Some((required, active)) = disks {
            (self.required, self.active) = (Some(required), Some(active));
        }
    }
}

/// What a line of progress says the array does: `recovery = 8.5% …`, `resync=DELAYED`.
fn sync(line: &str) -> Option<State> {
    let words = [
        ("recovery", State::Recovering),
        ("reshape", State::Other),
        ("check", State::Check),
        ("resync", State::Resync),
    ];
    words.iter().find(|(word, _)| line.contains(word)).map(|(_, state)| *state)
}

/// The blocks done in `(16775552/195310144)`.
fn progress(line: &str) -> Option<u64> {
    line.split_ascii_whitespace()
        .find_map(|word| word.strip_prefix('(')?.split_once('/')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Array<'_> {
        let (arrays, wrong) = parse(text);
        assert_eq!((arrays.len(), wrong), (1, None));
        arrays[0]
    }

    #[test]
    fn a_recovering_mirror_counts_its_disks_and_its_progress() {
        let array = one("md6 : active raid1 sdb2[2](F) sdc[1](S) sda2[0]\n      \
                         195310144 blocks [2/1] [U_]\n      \
                         [=>...]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=1K/sec\n");
        assert_eq!(
            array,
            Array {
                name: "md6",
                state: State::Recovering,
                active: Some(1),
                required: Some(2),
                failed: 1,
                spare: 1,
                blocks: Some(195_310_144),
                synced: Some(16_775_552),
            }
        );
    }

    #[test]
    fn a_bitmap_line_may_stand_before_or_after_the_progress() {
        let progress = "      resync = 1.0% (5/500) finish=1min speed=1K/sec\n";
        let bitmap = "      bitmap: 0/30 pages [0KB], 65536KB chunk\n";
        let head = "md1 : active raid1 sda[0] sdb[1]\n      500 blocks super 1.2 [2/2] [UU]\n";
        for tail in [[progress, bitmap], [bitmap, progress]] {
            let text = head.to_owned() + &tail.concat();
            assert_eq!(one(&text).synced, Some(5));
            assert_eq!(one(&text).state, State::Resync);
        }
    }

    #[test]
    fn a_stripe_needs_all_its_disks_whatever_they_are_called() {
        let array =
            one("md101 : active (read-only) raid0 sdb[2] sdd[1] sdc[0]\n   32 blocks 5k chunks\n");
        assert_eq!((array.required, array.active, array.blocks), (Some(3), Some(3), Some(32)));
        let array = one("md2 : active raid1 raid0a[0]\n   32 blocks [2/1] [U_]\n");
        assert_eq!((array.required, array.active), (Some(2), Some(1)));
    }

    #[test]
    fn an_inactive_array_without_disks_has_no_size() {
        let array = one("md5 : inactive\n      \nunused devices: <none>\n");
        assert_eq!((array.state, array.blocks), (State::Inactive, None));
    }

    #[test]
    fn a_sync_that_waits_has_done_nothing_and_one_elsewhere_is_unknown() {
        let text =
            |sync| format!("md9 : active raid1 sda[0]\n   8 blocks [1/1] [U]\n   resync={sync}\n");
        assert_eq!(one(&text("DELAYED")).synced, Some(0));
        assert_eq!(one(&text("PENDING")).synced, Some(0));
        assert_eq!(one(&text("REMOTE")).synced, None);
    }

    #[test]
    fn an_array_named_twice_is_counted_once() {
        assert_eq!(parse("md0 : active raid0 a[0]\n\nmd0 : active raid0 b[0]\n").0.len(), 1);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(md[0-9] : |active |raid[01] |sd[a-c]\\[[0-9]\\]|\\([FS/]|[0-9]+ blocks|\\[./.\\]|resync|=|\\PC|\n|   )*") {
            parse(&text);
        }
    }
}
