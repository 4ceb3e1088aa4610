use std::net::UdpSocket;

use proptest::prelude::*;

use super::packet::LENGTH;
use super::*;
use crate::collector::testing::{collect, tree};

const SECOND: u64 = 1 << 32;
/// A noon in 2026.
const NOW: u64 = (3_996_043_200 << 32) | 5;

fn at(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "few seconds")]
    let offset = (seconds * SECOND as f64) as i64;
    Timestamp(NOW.wrapping_add_signed(offset))
}

fn good() -> Answer {
    Answer {
        stratum: 2,
        root_delay: Duration::from_millis(20),
        root_dispersion: Duration::from_millis(10),
        reference: at(-100.0),
        sent: at(0.0),
        received: at(0.25),
        transmitted: at(0.5),
        arrived: at(1.0),
        ..Answer::default()
    }
}

fn ntp() -> Ntp {
    Ntp {
        server: String::new(),
        port: 123,
        version: 4,
        ttl: 1,
        max_distance: Duration::from_secs(3),
        tolerance: Duration::from_millis(1),
        leap_day_ends: None,
        until: None,
    }
}

#[test]
fn delay_and_offset_come_from_four_times() {
    let answer = good();
    assert_eq!(answer.rtt(), Duration::from_millis(750));
    assert!((answer.offset() - -0.125).abs() < 1e-9);
    assert_eq!(answer.root_distance(), Duration::from_millis(395));
    assert_eq!(answer.contradiction(), Duration::ZERO);
}

#[test]
fn a_server_that_is_not_fit_is_not_sane() {
    assert!(ntp().is_sane(&good()));
    let wrong = [
        Answer { stratum: 0, ..good() },
        Answer { stratum: 16, ..good() },
        Answer { leap: 3, ..good() },
        Answer { reference: at(-200_000.0), ..good() },
        Answer { reference: at(2.0), ..good() },
        Answer { root_dispersion: Duration::from_secs(17), ..good() },
        // Its distance, then the clocks' contradiction, are over the limits of the flags.
        Answer { root_delay: Duration::from_secs(6), ..good() },
        Answer { received: at(-0.01), ..good() },
    ];
    for answer in wrong {
        assert!(!ntp().is_sane(&answer), "{answer:?}");
    }
}

#[test]
fn a_leap_second_is_smeared_over_the_days_around_it() {
    let mut ntp = ntp();
    let smeared = Answer { received: at(-0.5), ..good() };
    assert!(!ntp.is_sane(&smeared));
    assert!(ntp.is_sane(&Answer { leap: 1, ..smeared }));
    assert!(ntp.is_sane(&smeared), "the announcement is remembered");
    ntp.leap_day_ends = ntp.leap_day_ends.map(|end| end - 3 * 86_400);
    assert!(!ntp.is_sane(&smeared));
}

#[test]
fn only_the_answer_to_the_question_is_taken() {
    let question = Question::new(4, 77);
    let mut bytes = [0; LENGTH];
    bytes[0] = 4 << 3 | 4;
    bytes[24..32].copy_from_slice(&77_u64.to_be_bytes());
    bytes[40..].copy_from_slice(&NOW.to_be_bytes());
    let times = [at(0.0), at(1.0)];
    assert!(question.answer(&bytes, times).unwrap().is_some());
    assert!(question.answer(&bytes[..47], times).unwrap().is_none());
    let other = Question::new(4, 78);
    assert!(other.answer(&bytes, times).unwrap().is_none());
    bytes[32..40].copy_from_slice(&(NOW + 1).to_be_bytes());
    assert!(question.answer(&bytes, times).is_err(), "its clock went back");
    bytes[0] = 4 << 3 | 3;
    assert!(question.answer(&bytes, times).unwrap().is_none(), "not a server's");
}

#[test]
fn a_server_on_the_loopback_is_asked() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let thread = std::thread::spawn(move || {
        let mut bytes = [0; 100];
        let (count, client) = server.recv_from(&mut bytes).unwrap();
        assert_eq!((count, bytes[0]), (LENGTH, 3 << 3 | 3));
        let now = Timestamp::of(SystemTime::now()).0.to_be_bytes();
        let nonce: [u8; 8] = bytes[40..48].try_into().unwrap();
        let mut answer = [0; LENGTH];
        (answer[0], answer[1]) = (3 << 3 | 4, 1);
        answer[16..24].copy_from_slice(&now);
        answer[24..32].copy_from_slice(&nonce);
        answer[32..40].copy_from_slice(&now);
        answer[40..48].copy_from_slice(&now);
        server.send_to(b"no answer", client).unwrap();
        server.send_to(&answer, client).unwrap();
    });
    let flags =
        [("collector.ntp.server-port", port.as_str()), ("collector.ntp.protocol-version", "3")];
    let (samples, result) = collect(&SPEC, tree(&[]).path(), &flags);
    thread.join().unwrap();
    result.unwrap();
    assert_eq!(samples[0], "node_ntp_stratum 1");
    assert_eq!(samples[1], "node_ntp_leap 0");
    assert_eq!(samples.last().unwrap(), "node_ntp_sanity 1");
}

#[test]
fn a_public_server_and_values_out_of_range_are_refused_at_the_start() {
    let build = |given: &[(&str, &str)]| {
        let flags = crate::flags::Flags::of(given);
        (SPEC.build)(&Setup { flags, ..Setup::default() }).map(drop)
    };
    let error = |given| build(&[given]).unwrap_err().to_string();
    let public = error(("collector.ntp.server", "192.0.2.1"));
    assert!(
        public.starts_with("--collector.ntp.server=192.0.2.1: expected a loopback"),
        "{public}"
    );
    assert!(error(("collector.ntp.server-port", "0")).contains("1 to 65535"));
    assert!(error(("collector.ntp.protocol-version", "5")).contains("2 to 4"));
    let both = [("collector.ntp.server", "ntp.example"), ("collector.ntp.server-is-local", "true")];
    build(&both).unwrap();
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(bytes: [u8; LENGTH], sent: u64, arrived: u64) {
        let mut bytes = bytes;
        bytes[0] = bytes[0] & 0xf8 | 4;
        let nonce = u64::from_be_bytes(bytes[24..32].try_into().unwrap());
        let times = [Timestamp(sent), Timestamp(arrived)];
        if let Ok(Some(answer)) = Question::new(4, nonce).answer(&bytes, times) {
            let _all = (answer.rtt(), answer.offset(), answer.root_distance());
            let _sane = ntp().is_sane(&answer);
        }
    }
}
