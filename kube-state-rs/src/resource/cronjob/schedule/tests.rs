use jiff::Zoned;
use proptest::prelude::*;

use super::*;

/// When `schedule` is next due after a local time such as `2024-03-30T12:00+01:00[Europe/Berlin]`, in that zone.
fn next(schedule: &str, last: &str) -> Option<String> {
    let last: Zoned = last.parse().unwrap();
    let zone = last.time_zone().iana_name();
    let due = Schedule::parse(schedule, zone).unwrap().next(last.timestamp())?;
    Some(due.to_zoned(last.time_zone().clone()).strftime("%a %Y-%m-%dT%H:%M:%S%:z").to_string())
}

fn is_read(schedule: &str) -> bool {
    Schedule::parse(schedule, Some("UTC")).is_some()
}

#[test]
fn fields_take_lists_ranges_steps_and_names() {
    for (schedule, due) in [
        ("* * * * *", "Wed 2024-05-15T10:31:00+00:00"),
        ("30 10 * * *", "Thu 2024-05-16T10:30:00+00:00"),
        ("*/20 * * * ?", "Wed 2024-05-15T10:40:00+00:00"),
        ("7/20 * * * *", "Wed 2024-05-15T10:47:00+00:00"),
        ("0-10/5,50 * * * *", "Wed 2024-05-15T10:50:00+00:00"),
        (",5, * * * *", "Wed 2024-05-15T11:05:00+00:00"),
        ("0 9-17/4 * * *", "Wed 2024-05-15T13:00:00+00:00"),
        ("0 0 1 JAN,jul *", "Mon 2024-07-01T00:00:00+00:00"),
        ("15 3 * * sat-Sat", "Sat 2024-05-18T03:15:00+00:00"),
        ("\t15  3 * * 0 ", "Sun 2024-05-19T03:15:00+00:00"),
        ("0 0 29 2 *", "Tue 2028-02-29T00:00:00+00:00"),
        ("*-3 * * * *", "Wed 2024-05-15T10:31:00+00:00"),
    ] {
        assert_eq!(next(schedule, "2024-05-15T10:30:00[UTC]").as_deref(), Some(due), "{schedule}");
    }
}

#[test]
fn one_of_two_restricted_days_is_enough() {
    for (schedule, due) in [
        ("0 0 20 * fri", "Fri 2024-05-17T00:00:00+00:00"),
        ("0 0 16 * fri", "Thu 2024-05-16T00:00:00+00:00"),
        ("0 0 20 * *", "Mon 2024-05-20T00:00:00+00:00"),
        ("0 0 ? * fri", "Fri 2024-05-17T00:00:00+00:00"),
        // A step restricts, a star in a list does not.
        ("0 0 */30 * fri", "Fri 2024-05-17T00:00:00+00:00"),
        ("0 0 *,20 * fri", "Fri 2024-05-17T00:00:00+00:00"),
        ("0 0 20 * */1", "Mon 2024-05-20T00:00:00+00:00"),
        ("0 0 13 * 0,fri,*", "Thu 2024-06-13T00:00:00+00:00"),
    ] {
        assert_eq!(next(schedule, "2024-05-15T10:30:00[UTC]").as_deref(), Some(due), "{schedule}");
    }
}

#[test]
fn descriptors_stand_for_fields_or_a_pause() {
    for (schedule, due) in [
        ("@yearly", "Wed 2025-01-01T00:00:00+00:00"),
        ("@annually", "Wed 2025-01-01T00:00:00+00:00"),
        ("@monthly", "Sat 2024-06-01T00:00:00+00:00"),
        ("@weekly", "Sun 2024-05-19T00:00:00+00:00"),
        ("@daily", "Thu 2024-05-16T00:00:00+00:00"),
        ("@midnight", "Thu 2024-05-16T00:00:00+00:00"),
        ("@hourly", "Wed 2024-05-15T11:00:00+00:00"),
        ("@every 1h30m", "Wed 2024-05-15T12:00:07+00:00"),
        ("@every 2.9s", "Wed 2024-05-15T10:30:09+00:00"),
        ("@every 10ms", "Wed 2024-05-15T10:30:08+00:00"),
    ] {
        let found = next(schedule, "2024-05-15T10:30:07.9[UTC]");
        assert_eq!(found.as_deref(), Some(due), "{schedule}");
    }
}

#[test]
fn what_a_clock_skips_is_left_out_and_what_it_repeats_is_due_twice() {
    let due = |schedule, last| next(schedule, last).unwrap();
    let before = "2024-03-30T12:00:00+01:00[Europe/Berlin]";
    assert_eq!(due("30 2 * * *", before), "Mon 2024-04-01T02:30:00+02:00");
    assert_eq!(due("0 3 * * *", before), "Sun 2024-03-31T03:00:00+02:00");
    let before = "2024-03-31T01:30:00+01:00[Europe/Berlin]";
    assert_eq!(due("0 * * * *", before), "Sun 2024-03-31T03:00:00+02:00");

    let first = "2024-10-27T02:30:00+02:00[Europe/Berlin]";
    assert_eq!(due("30 2 * * *", first), "Sun 2024-10-27T02:30:00+01:00");
    assert_eq!(due("0 * * * *", first), "Sun 2024-10-27T02:00:00+01:00");
    let second = "2024-10-27T02:30:00+01:00[Europe/Berlin]";
    assert_eq!(due("30 2 * * *", second), "Mon 2024-10-28T02:30:00+01:00");

    // A day that begins at one o'clock.
    let before = "2018-11-03T12:00:00-03:00[America/Sao_Paulo]";
    assert_eq!(due("0 * 4 11 *", before), "Sun 2018-11-04T01:00:00-02:00");
    assert_eq!(due("@daily", before), "Mon 2018-11-05T00:00:00-02:00");
}

#[test]
fn a_zone_is_the_objects_or_stands_before_the_fields() {
    let last = "2024-05-15T10:30:00Z".parse().unwrap();
    let due = |schedule, zone| Schedule::parse(schedule, zone)?.next(last);
    let noon = Some("2024-05-15T16:00:00Z".parse().unwrap());
    assert_eq!(due("0 12 * * *", Some("America/New_York")), noon);
    assert_eq!(due("CRON_TZ=America/New_York 0 12 * * *", None), noon);
    assert_eq!(due("TZ=America/New_York  0 12 * * *", None), noon);
    assert_eq!(due("TZ=Asia/Tokyo 0 1 * * *", None), noon);
    assert!(due("TZ=Etc/UTC @hourly", None).is_some());
    assert_eq!(due("TZ=Asia/Tokyo 0 1 * * *", Some("America/New_York")), None);
    for zone in ["", "Local", "america/new_york", "Mars/Phobos", "../etc", "Etc/Unknown"] {
        assert_eq!(due("0 12 * * *", Some(zone)), None, "{zone}");
    }
    assert_eq!(due("TZ=America/New_York", None), None);
    assert_eq!(due("TZ= 0 12 * * *", None), None);
}

#[test]
fn what_is_no_schedule_is_refused() {
    for schedule in [
        "",
        " ",
        "xyz",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 7",
        "* * * * mond",
        "* * jan * *",
        "-5 * * * *",
        "5- * * * *",
        "1-2-3 * * * *",
        "10-5 * * * *",
        "*/0 * * * *",
        "1/2/3 * * * *",
        "*/x * * * *",
        "* * * * 5#2",
        "* * L * *",
        "99999999999 * * * *",
        "@",
        "@reboot",
        "@every",
        "@every x",
        "@every -1h",
    ] {
        assert!(!is_read(schedule), "{schedule}");
    }
}

#[test]
fn a_step_over_the_whole_range_is_refused_as_the_peer_does() {
    for schedule in ["*/120 * * * *", "*/60 * * * *", "0 */24 * * *", "5/55 * * * *", "* * * * 6/2"]
    {
        assert!(!is_read(schedule), "{schedule}");
    }
    for schedule in ["*/59 * * * *", "5/54 * * * *", "* * * * */7", "5/1 * * * *", "5-5/1 * * * *"]
    {
        assert!(is_read(schedule), "{schedule}");
    }
}

#[test]
fn a_schedule_that_is_never_due_has_no_next_time() {
    for schedule in ["0 0 30 2 *", "0 0 31 4,6,9,11 ?", ", * * * *", "* , * * *"] {
        assert_eq!(next(schedule, "2024-05-15T10:30:00[UTC]"), None, "{schedule}");
    }
}

/// Walks minute by minute, which nobody can get wrong.
fn walked(calendar: &Calendar, zone: &TimeZone, last: Timestamp) -> Option<Timestamp> {
    let start = last.as_second().div_euclid(60) + 1;
    (start..start + 3 * 24 * 60).find_map(|minute| {
        let time = Timestamp::from_second(minute * 60).unwrap();
        let local = zone.to_datetime(time);
        let due = calendar.minutes.has(local.minute())
            && calendar.hours.has(local.hour())
            && calendar.has(local.date());
        due.then_some(time)
    })
}

proptest! {
    #[test]
    fn the_next_time_is_the_first_minute_that_matches(
        minute in r"\*|\*/(7|25|40)|[0-5]?[0-9]|([0-9],)?30-59",
        hour in r"\*|\*/(2|5)|1?[0-9]|[0-3](,[0-3]){1,2}|2-4",
        days in r"\* \* \*|\*/2 \* \?|31 \* \*|\* \* (sun|0,1)|1,15 \* (sat|sun)",
        zone in prop::sample::select(vec![
            "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe",
            "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns",
        ]),
        // Around the changes of these zones' clocks, from 2009 on.
        at in 1_230_768_000_i64..1_893_456_000,
        near in prop::option::of(-10_000_i64..10_000),
    ) {
        let zone = TimeZone::get(zone).unwrap();
        let mut last = Timestamp::from_second(at).unwrap();
        if let (Some(near), Some(change)) = (near, zone.following(last).next()) {
            last = change.timestamp() + SignedDuration::from_secs(near);
        }
        let calendar = Calendar::parse(&format!("{minute} {hour} {days}")).unwrap();
        let due = calendar.next(&zone, last + SignedDuration::from_secs(1));
        match walked(&calendar, &zone, last) {
            Some(walked) => prop_assert_eq!(due, Some(walked)),
            None => prop_assert!(due.is_none_or(|due| due > last + SignedDuration::from_hours(71))),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in r"((TZ=)?\PC{0,20})|([@*/0-9,?a-z -]{0,30})", last: i32) {
        if let Some(schedule) = Schedule::parse(&text, Some("Europe/Berlin")) {
            let last = Timestamp::from_second(i64::from(last)).unwrap();
            prop_assert!(schedule.next(last).is_none_or(|due| due > last));
        }
    }
}
