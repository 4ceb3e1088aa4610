//! The collector on folders that change between scrapes.

use std::time::Duration;

use exporter_toolkit::Format;

use super::*;

struct Folder {
    folder: tempfile::TempDir,
    collector: Textfile,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directories = vec![folder.path().display().to_string()];
        Self { folder, collector: Textfile { directories, ..Textfile::default() } }
    }

    /// Writes a file that changed at second `mtime`.
    fn write(&self, name: &str, text: &str, mtime: u64) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(mtime)).unwrap();
    }

    /// The samples, with the folder's name taken out.
    fn scrape(&mut self, format: Format) -> String {
        let mut out = Exposition::new(format);
        self.collector.collect(&mut out).unwrap();
        let text = String::from_utf8(out.text().to_vec()).unwrap();
        let text = text.replace(&format!("{}/", self.folder.path().display()), "");
        let keep = |line: &&str| !line.starts_with("# HELP");
        text.lines().filter(keep).map(|line| line.to_owned() + "\n").collect()
    }
}

#[test]
fn a_bad_file_does_not_spoil_a_good_one() {
    let mut folder = Folder::new();
    folder.write("bad.prom", "a 1\nb 2 3\n", 5);
    folder.write("good.prom", "c 3\n", 7);
    folder.write("other.txt", "d 4\n", 9);
    assert_eq!(
        folder.scrape(Format::Text),
        "# TYPE c untyped\nc 3\n# TYPE node_textfile_mtime_seconds gauge\n\
         node_textfile_mtime_seconds{file=\"good.prom\"} 7\n\
         # TYPE node_textfile_scrape_error gauge\nnode_textfile_scrape_error 1\n"
    );
    let reported: Vec<_> = folder.collector.reported.iter().collect();
    assert_eq!(reported.len(), 1);
    assert!(reported[0].ends_with(
        "bad.prom: line 2: samples with a timestamp are not supported, leave it out: \"b 2 3\""
    ));
}

#[test]
fn a_changed_a_new_and_a_removed_file_show_at_the_next_scrape() {
    let mut folder = Folder::new();
    folder.write("a.prom", "m 1\n", 5);
    assert!(folder.scrape(Format::Text).contains("\nm 1\n"));
    // Same length and same time: only the inode's change time differs.
    folder.write("a.prom", "m 2\n", 5);
    folder.write("b.prom", "n 1\n", 5);
    let text = folder.scrape(Format::Text);
    assert!(text.contains("\nm 2\n") && text.contains("\nn 1\n"), "{text}");
    std::fs::remove_file(folder.folder.path().join("a.prom")).unwrap();
    assert!(!folder.scrape(Format::Text).contains("m 2"));
    assert_eq!(folder.collector.files.len(), 1);
}

#[test]
fn a_file_that_changed_long_ago_is_not_read_again() {
    let folder = Folder::new();
    folder.write("a.prom", "m 1\n", 5);
    let path = folder.folder.path().join("a.prom");
    let mut known = open(&path).unwrap();
    assert!(!known.stamp.settled(known.stamp.changed.0 + 1));
    assert!(known.stamp.settled(known.stamp.changed.0 + SETTLED_SECONDS));
    known.said = Err("kept".to_owned());
    let again = examine(&path, Some(known), &mut 0).unwrap();
    assert_eq!(again.said.unwrap_err(), "kept");
}

#[test]
fn what_is_no_file_or_too_much_is_left_out_and_named() {
    let folder = Folder::new();
    std::fs::create_dir(folder.folder.path().join("dir.prom")).unwrap();
    let path = folder.folder.path().join("dir.prom");
    assert_eq!(examine(&path, None, &mut 0).unwrap_err(), "not a regular file");
    folder.write("a.prom", "m 1\n", 5);
    let path = folder.folder.path().join("a.prom");
    let problem = examine(&path, None, &mut { TEXT_LIMIT }).unwrap_err();
    assert_eq!(problem, "left out: all files together exceed 64 MiB");
    File::options().write(true).open(&path).unwrap().set_len(FILE_LIMIT + 1).unwrap();
    assert_eq!(examine(&path, None, &mut 0).unwrap_err(), "left out: longer than 16 MiB");
}

#[test]
fn a_pattern_matches_folders_and_none_is_read_twice() {
    let mut folder = Folder::new();
    let below = folder.folder.path().join("x1");
    std::fs::create_dir(&below).unwrap();
    std::fs::write(below.join("a.prom"), "m 1\n").unwrap();
    folder.collector.directories =
        vec![folder.folder.path().join("x?").display().to_string(), below.display().to_string()];
    let text = folder.scrape(Format::Text);
    assert!(text.contains("\nm 1\n") && text.ends_with("node_textfile_scrape_error 0\n"), "{text}");
}

#[test]
fn a_missing_folder_is_an_error_and_no_folder_is_none() {
    let mut folder = Folder::new();
    folder.collector.directories = vec!["/nonexistent/textfiles".to_owned()];
    assert!(folder.scrape(Format::Text).ends_with("node_textfile_scrape_error 1\n"));
    folder.collector.directories.clear();
    assert!(folder.scrape(Format::Text).ends_with("node_textfile_scrape_error 0\n"));
    assert!(folder.collector.reported.is_empty());
}

#[test]
fn open_metrics_gets_no_counter_without_total() {
    let mut folder = Folder::new();
    folder.write(
        "a.prom",
        "# TYPE c counter\nc 1\n# TYPE d_total counter\nd_total 2\n# TYPE h histogram\nh_sum 3\nh_count 1\n",
        5,
    );
    let text = folder.scrape(Format::OpenMetrics);
    assert!(text.starts_with("# TYPE c unknown\nc 1\n# TYPE d counter\nd_total 2\n"), "{text}");
    assert!(text.contains("h_bucket{le=\"+Inf\"} 1\nh_sum 3\nh_count 1\n"), "{text}");
}

#[test]
fn paths_are_shown_clean() {
    for (raw, shown) in [("./a//b/./", "a/b"), ("a/../b", "b"), ("/../a", "/a"), ("../a", "../a")] {
        assert_eq!(clean(Path::new(raw)), Path::new(shown), "{raw}");
    }
}
