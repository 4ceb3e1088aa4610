//! Which objects are this instance's: FNV-1a 64 of the UID, then Lamping and Veach's jump consistent hash, as the peer
//! shards, so that its instances can be replaced one by one.

/// One of several instances that share the objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shard {
    number: u32,
    total: u32,
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 0, total: 1 }
    }
}

impl Shard {
    /// `number` counts from 0.
    pub fn new(number: u32, total: u32) -> Self {
        Self { number, total }
    }

    pub fn number(self) -> u32 {
        self.number
    }

    pub fn total(self) -> u32 {
        self.total
    }

    /// Whether the object of this UID is this instance's.
    pub fn holds(self, uid: &str) -> bool {
        self.total <= 1 || jump(fnv1a(uid.as_bytes()), self.total) == self.number
    }
}

/// FNV-1a of 64 bits (RFC 9923).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// "A Fast, Minimal Memory, Consistent Hash Algorithm", Lamping and Veach 2014: a bucket below `buckets`, of which few
/// keys change theirs when a bucket is added.
fn jump(mut key: u64, buckets: u32) -> u32 {
    let (mut bucket, mut next) = (0, 0_u64);
    while next < u64::from(buckets) {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let scale = f64::from(1_u32 << 31) / ((key >> 33) + 1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the algorithm rounds down; the number is not negative, and large ones saturate"
        )]
        let ahead = ((bucket + 1) as f64 * scale) as u64;
        next = ahead;
    }
    u32::try_from(bucket).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_held_by_exactly_one_shard() {
        for total in [1, 2, 3, 17] {
            for n in 0..200 {
                let uid = format!("uid-{n}");
                let holders = (0..total).filter(|n| Shard::new(*n, total).holds(&uid)).count();
                assert_eq!(holders, 1, "{uid} of {total}");
            }
        }
    }

    #[test]
    fn one_shard_holds_everything() {
        assert!(Shard::default().holds("") && Shard::default().holds("x"));
    }
}
