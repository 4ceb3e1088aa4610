//! Every field of an object, from nothing but its number and its small state; and how numbers become text.

use super::objects::{KINDS, Object, POD, PODS};

impl Object<'_> {
    /// Seconds since 1970 when it was made; what takes another's place is younger.
    fn created(&self) -> u64 {
        1_750_000_000 + (self.number as u64 * 37) % 2_592_000 + self.incarnation() * 3600
    }

    fn incarnation(&self) -> u64 {
        u64::from(self.state.incarnation)
    }

    /// When the first container was started the last time but `back`.
    fn app_started(&self, back: u64) -> u64 {
        self.created() + 4 + u64::from(self.state.restarts).saturating_sub(back) * 900
    }

    /// Two numbers that are its own, as random as ids are, or as little.
    fn ids(&self, salt: u64) -> [u64; 2] {
        let own = (self.number as u64) << 16 | self.incarnation() << 4 | self.kind as u64;
        self.random([own, salt])
    }

    fn random(&self, [own, salt]: [u64; 2]) -> [u64; 2] {
        if self.shape.counted_ids {
            return [salt, own];
        }
        let first = mix(own ^ mix(salt));
        [first, mix(first)]
    }
}

/// Writes a field.
pub(super) type Write = fn(&Object<'_>, &mut Vec<u8>);

/// What a template may name.
pub(super) static FIELDS: &[(&str, Write)] = &[
    ("NAME", name),
    ("NAMESPACE", namespace),
    ("UID", |object, out| uuid(out, object.ids(1))),
    ("VERSION", |object, out| digits(out, object.state.version, 0)),
    ("CREATED", |object, out| time(out, object.created())),
    ("STARTED", |object, out| time(out, object.created() + 1)),
    ("READY", |object, out| time(out, object.app_started(0) + 9)),
    ("TOUCHED", |object, out| {
        time(out, object.app_started(0) + 60 + u64::from(object.state.touches) * 10);
    }),
    ("APP", app),
    ("HASH", |object, out| hex(out, deployment(object, 2)[1], 10)),
    ("SET", replica_set),
    ("SET_UID", |object, out| uuid(out, deployment(object, 3))),
    ("IMAGE", |object, out| long_hex(out, deployment(object, 4))),
    ("NODE", node),
    ("HOST_IP", |object, out| {
        let node = if object.is_pod() { object.number % object.shape.nodes } else { object.number };
        ip(out, [192, 168], node as u64);
    }),
    ("POD_IP", |object, out| {
        ip(out, [10, 64], object.number as u64 + object.incarnation() * 7919);
    }),
    ("APP_STARTED", |object, out| time(out, object.app_started(0))),
    ("APP_CONTAINER", |object, out| long_hex(out, container(object, 0))),
    ("BEFORE_STARTED", |object, out| time(out, object.app_started(1))),
    ("BEFORE_FINISHED", |object, out| time(out, object.app_started(0) - 15)),
    ("BEFORE_CONTAINER", |object, out| long_hex(out, container(object, 1))),
    ("PROXY_STARTED", |object, out| time(out, object.created() + 5)),
    ("PROXY_CONTAINER", |object, out| long_hex(out, object.ids(6))),
    ("RESTARTS", |object, out| digits(out, object.state.restarts.into(), 0)),
    ("LAST_STATE", |object, out| match object.state.restarts {
        0 => put(out, "{}"),
        _ => object.shape.last_state.write(object, out),
    }),
    ("FILLER", |_, out| out.resize(out.len() + 1200, b'A')),
];

pub(super) fn name(object: &Object<'_>, out: &mut Vec<u8>) {
    if object.is_pod() {
        replica_set(object, out);
        out.push(b'-');
        suffix(out, object.number as u64 + object.incarnation() % 14 * MOST_PODS);
    } else {
        put(out, KINDS[object.kind].prefix);
        digits(out, object.number as u64, 5);
    }
}

pub(super) fn namespace(object: &Object<'_>, out: &mut Vec<u8>) {
    put(out, "team-");
    let number = if object.is_pod() { object.number / PODS[0] } else { object.number };
    digits(out, number as u64, 5);
}

fn app(object: &Object<'_>, out: &mut Vec<u8>) {
    put(out, "checkout-");
    digits(out, (object.number / PODS[1]) as u64, 5);
}

fn replica_set(object: &Object<'_>, out: &mut Vec<u8>) {
    app(object, out);
    out.push(b'-');
    hex(out, deployment(object, 2)[1], 10);
}

pub(super) fn node(object: &Object<'_>, out: &mut Vec<u8>) {
    put(out, "node-");
    digits(out, (object.number % object.shape.nodes) as u64, 5);
}

/// Ids of the Deployment that the pod is of.
fn deployment(object: &Object<'_>, salt: u64) -> [u64; 2] {
    object.random([(object.number / PODS[1]) as u64, salt])
}

/// The id of the first container's run: the present one, or that many before.
fn container(object: &Object<'_>, back: u32) -> [u64; 2] {
    let run = object.state.restarts.saturating_sub(back);
    object.ids(7 + (u64::from(run) << 8))
}

pub(super) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// A decimal number, with zeros in front up to a width.
pub(super) fn digits(out: &mut Vec<u8>, number: u64, width: usize) {
    let (mut text, mut at, mut rest) = ([b'0'; 20], 20, number);
    while rest > 0 || at == 20 {
        at -= 1;
        text[at] = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
    }
    out.extend_from_slice(&text[at.min(20 - width)..]);
}

fn hex(out: &mut Vec<u8>, number: u64, width: u32) {
    out.extend(
        (0..width).rev().map(|place| b"0123456789abcdef"[(number >> (4 * place) & 15) as usize]),
    );
}

/// 64 digits, as a SHA-256 has.
fn long_hex(out: &mut Vec<u8>, [first, second]: [u64; 2]) {
    for number in [first, second, first.rotate_left(23), second.rotate_left(41)] {
        hex(out, number, 16);
    }
}

/// RFC 9562's text form.
fn uuid(out: &mut Vec<u8>, [first, second]: [u64; 2]) {
    for (number, shift, width) in
        [(first, 32, 8), (first, 16, 4), (first, 0, 4), (second, 48, 4), (second, 0, 12)]
    {
        if width != 8 {
            out.push(b'-');
        }
        hex(out, number >> shift, width);
    }
}

fn ip(out: &mut Vec<u8>, [first, second]: [u64; 2], number: u64) {
    for (byte, end) in [
        (first, "."),
        (second + (number >> 16 & 63), "."),
        (number >> 8 & 255, "."),
        (number & 255, ""),
    ] {
        digits(out, byte, 0);
        put(out, end);
    }
}

/// RFC 3339 of seconds since 1970. Years begin in March, so that a leap day is the last day of its year.
fn time(out: &mut Vec<u8>, seconds: u64) {
    let (days, clock) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    for (number, width, end) in [
        (year + era * 400 + later, 4, "-"),
        (month, 2, "-"),
        (day, 2, "T"),
        (clock / 3600, 2, ":"),
        (clock / 60 % 60, 2, ":"),
        (clock % 60, 2, "Z"),
    ] {
        digits(out, number, width);
        put(out, end);
    }
}

/// The letters and digits that Kubernetes makes name suffixes of.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// All suffixes of five letters.
const SUFFIXES: u64 = 27 * 27 * 27 * 27 * 27;
/// Pods of one incarnation; their number has to be found in the suffix again.
pub(super) const MOST_PODS: u64 = 1_000_000;
/// Scrambles the suffixes, and its inverse brings them back: their product is 1 modulo `SUFFIXES`.
const SCRAMBLE: [u64; 2] = [5_386_721, 3_486_656];

fn suffix(out: &mut Vec<u8>, number: u64) {
    let mut rest = number % SUFFIXES * SCRAMBLE[0] % SUFFIXES;
    for _ in 0..5 {
        out.push(LETTERS[(rest % 27) as usize]);
        rest /= 27;
    }
}

/// The number of the object that may have this name.
pub(super) fn number_in(kind: usize, name: &str) -> Option<usize> {
    if kind != POD {
        return name.strip_prefix(KINDS[kind].prefix)?.parse().ok();
    }
    let (_, suffix) = name.rsplit_once('-')?;
    let mut scrambled = 0;
    for letter in suffix.bytes().rev() {
        let place = LETTERS.iter().position(|&other| other == letter)? as u64;
        scrambled = (scrambled * 27 + place) % SUFFIXES;
    }
    usize::try_from(scrambled * SCRAMBLE[1] % SUFFIXES % MOST_PODS).ok()
}

/// The finalizer of `MurmurHash3`: every bit of the input moves every bit of the output.
pub(super) fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        value = (value ^ value >> 33).wrapping_mul(factor);
    }
    value ^ value >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
        ] {
            let mut out = Vec::new();
            time(&mut out, seconds);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
