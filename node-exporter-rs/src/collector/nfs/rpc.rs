//! The statistics of the kernel's RPC programs: lines of a word and counters (`rpc_proc_show` of net/sunrpc/stats.c).

use std::ops::Range;

use crate::collector::CollectError;
use crate::host::Text;

/// NFS 2 procedures by number (RFC 1094).
pub(in crate::collector) const V2: [&str; 18] = [
    "Null", "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read", "WrCache", "Write",
    "Create", "Remove", "Rename", "Link", "SymLink", "MkDir", "RmDir", "ReadDir", "FsStat",
];
/// NFS 3 procedures by number (RFC 1813).
pub(in crate::collector) const V3: [&str; 22] = [
    "Null",
    "GetAttr",
    "SetAttr",
    "Lookup",
    "Access",
    "ReadLink",
    "Read",
    "Write",
    "Create",
    "MkDir",
    "SymLink",
    "MkNod",
    "Remove",
    "RmDir",
    "Rename",
    "Link",
    "ReadDir",
    "ReadDirPlus",
    "FsStat",
    "FsInfo",
    "PathConf",
    "Commit",
];

/// The numbers of one file by the word before them; the memory is reused.
pub(in crate::collector) struct Counters<const N: usize> {
    words: [&'static str; N],
    places: [Option<Range<usize>>; N],
    numbers: Vec<u64>,
}

impl<const N: usize> Counters<N> {
    /// `words` are those that are looked for; lines that begin with another are left out.
    pub(in crate::collector) fn new(words: [&'static str; N]) -> Self {
        Self { words, places: [const { None }; N], numbers: Vec::new() }
    }

    /// Reads the file. What stands before a malformed line counts.
    pub(in crate::collector) fn read(&mut self, text: Text<'_>) -> Result<(), CollectError> {
        self.places.fill(None);
        self.numbers.clear();
        for line in text.lines() {
            let mut columns = line.split_ascii_whitespace();
            let word = columns.next();
            let Some(at) = self.words.iter().position(|known| Some(*known) == word) else {
                continue;
            };
            let start = self.numbers.len();
            // A histogram of seconds with decimals ends the line of the threads, and was never of use.
            for column in columns.take_while(|column| !column.contains('.')) {
                let number = column.parse().map_err(|_| text.wrong("a number expected", line))?;
                self.numbers.push(number);
            }
            let numbers = &self.numbers[start..];
            // Lines of procedures say how many follow.
            let procedures = self.words[at].starts_with("proc");
            if procedures && numbers.first() != Some(&(numbers.len().saturating_sub(1) as u64)) {
                return Err(text.wrong("another number of counters than it says", line));
            }
            self.places[at] = Some(start..self.numbers.len());
        }
        Ok(())
    }

    /// The numbers after a word; none where the file has no such line.
    pub(in crate::collector) fn of(&self, word: &str) -> &[u64] {
        let at = self.words.iter().position(|known| *known == word);
        let place = at.and_then(|at| self.places[at].clone());
        place.and_then(|place| self.numbers.get(place)).unwrap_or_default()
    }

    /// The number at a place after a word.
    pub(in crate::collector) fn get(&self, word: &str, place: usize) -> Option<u64> {
        self.of(word).get(place).copied()
    }

    /// The counters of procedures after a word and their number.
    pub(in crate::collector) fn procedures(&self, word: &str) -> &[u64] {
        self.of(word).split_first().map_or(&[], |(_, counters)| counters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;

    fn counters(text: &str) -> Result<Counters<2>, CollectError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("proc")).unwrap();
        std::fs::write(folder.path().join("proc/x"), text).unwrap();
        let mut file = Host::below(folder.path()).keep_proc("x");
        let mut counters = Counters::new(["th", "proc2"]);
        counters.read(file.read_str().unwrap()).map(|()| counters)
    }

    #[test]
    fn decimals_end_a_line_and_unknown_lines_are_left_out() {
        let counters = counters("th 8 0 0.000 1.5\nnew x\n").unwrap();
        assert_eq!(counters.of("th"), [8, 0]);
        assert_eq!((counters.get("th", 1), counters.get("proc2", 0)), (Some(0), None));
    }

    #[test]
    fn a_line_of_procedures_says_how_many_follow() {
        assert_eq!(counters("proc2 2 5 6\n").unwrap().procedures("proc2"), [5, 6]);
        assert!(counters("proc2 0\n").unwrap().procedures("proc2").is_empty());
        for wrong in ["proc2 3 5 6\n", "proc2 1 5 6\n", "proc2\n"] {
            assert!(counters(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_number_names_its_file_and_line() {
        let error = counters("proc2 2 5 x\n").err().unwrap().to_string();
        assert!(error.contains("/proc/x: a number expected: \"proc2 2 5 x\""), "{error}");
    }
}
