//! Basic auth (RFC 7617) against bcrypt hashes, off the reactor and one at a time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use rustls::crypto::ring;
use tokio::sync::Semaphore;

use super::config::Secret;
use crate::base64;

/// Outcomes that are remembered, of each kind.
const REMEMBERED: usize = 100;
/// Requests that may wait for their password to be checked.
const QUEUE: usize = 64;

/// What `WWW-Authenticate` asks for.
pub(crate) const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"metrics\", charset=\"UTF-8\"");

/// The users of one configuration. A reload makes a new one, so nothing that was remembered outlives it.
pub(crate) struct Login {
    users: HashMap<String, Secret>,
    /// Checked for a user that does not exist, so that this takes as long as for one that does.
    decoy: Secret,
    salt: [u8; 32],
    known: Mutex<Known>,
    turn: Arc<Semaphore>,
    queue: Semaphore,
}

/// Digests of credentials by outcome. Kept apart, so that wrong guesses cannot push out the right ones.
#[derive(Default)]
struct Known {
    right: HashSet<Digest>,
    wrong: HashSet<Digest>,
}

type Digest = [u8; 32];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Welcome,
    /// No, wrong or unreadable credentials.
    Refused,
    /// Too many are waiting.
    Busy,
}

impl Login {
    /// `None` where there are no users: then everybody may ask.
    pub(crate) fn new(users: HashMap<String, Secret>) -> Option<Self> {
        let decoy = users.values().max_by_key(|hash| cost(&hash.0))?.clone();
        let mut salt = [0; 32];
        // Without random bytes, which Linux always has, digests are merely not salted.
        let _random = ring::default_provider().secure_random.fill(&mut salt).is_ok();
        Some(Self {
            users,
            decoy,
            salt,
            known: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            queue: Semaphore::new(QUEUE),
        })
    }

    pub(crate) async fn check(&self, headers: &HeaderMap) -> Verdict {
        let Some((user, password)) = headers.get(AUTHORIZATION).and_then(credentials) else {
            return Verdict::Refused;
        };
        let digest = self.digest(&user, &password);
        if let Some(verdict) = self.remembered(&digest) {
            return verdict;
        }
        let Ok(_queued) = self.queue.try_acquire() else { return Verdict::Busy };
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else { return Verdict::Busy };
        // Another request may have brought the same password meanwhile.
        if let Some(verdict) = self.remembered(&digest) {
            return verdict;
        }
        let hash = self.users.get(&user);
        let secret = hash.unwrap_or(&self.decoy).clone();
        let checked = tokio::task::spawn_blocking(move || {
            // The turn is over with the work, also when the client has gone.
            let _turn = turn;
            bcrypt::verify(password, &secret.0).unwrap_or(false)
        });
        let right = checked.await.unwrap_or(false) && hash.is_some();
        self.remember(digest, right)
    }

    fn remembered(&self, digest: &Digest) -> Option<Verdict> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match () {
            () if known.right.contains(digest) => Some(Verdict::Welcome),
            () if known.wrong.contains(digest) => Some(Verdict::Refused),
            () => None,
        }
    }

    fn remember(&self, digest: Digest, right: bool) -> Verdict {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let set = if right { &mut known.right } else { &mut known.wrong };
        if set.len() >= REMEMBERED {
            set.clear();
        }
        set.insert(digest);
        if right { Verdict::Welcome } else { Verdict::Refused }
    }

    /// SHA-256 of salt, length of the name, name and password: no plain password is kept.
    fn digest(&self, user: &str, password: &[u8]) -> Digest {
        let length = (user.len() as u64).to_be_bytes();
        let text = [&self.salt[..], &length, user.as_bytes(), password].concat();
        let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
        let mut digest = [0; 32];
        digest.copy_from_slice(suite_hash(suite, &text).as_ref());
        digest
    }
}

/// The hash function of a suite; ring itself is no dependency of this crate.
fn suite_hash(suite: rustls::SupportedCipherSuite, text: &[u8]) -> rustls::crypto::hash::Output {
    match suite {
        rustls::SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider.hash(text),
        rustls::SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider.hash(text),
    }
}

/// The cost in `$2y$10$…`: each step doubles the time of a check.
fn cost(hash: &str) -> u32 {
    hash.split('$').nth(2).and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

/// Name and password of a header; the name ends at the first colon.
fn credentials(header: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut name = base64::decode(encoded.trim())?;
    let colon = memchr::memchr(b':', &name)?;
    let password = name.split_off(colon + 1);
    name.pop();
    Some((String::from_utf8(name).ok()?, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &'static str) -> Option<(String, Vec<u8>)> {
        credentials(&HeaderValue::from_static(header))
    }

    #[test]
    fn credentials_are_split_at_the_first_colon() {
        let alice = |password: &str| Some(("alice".to_owned(), password.as_bytes().to_vec()));
        assert_eq!(of("Basic YWxpY2U6YTpi"), alice("a:b"));
        assert_eq!(of("basic  YWxpY2U6"), alice(""));
        for wrong in
            ["", "Basic", "Basic YWxpY2U=", "Bearer YWxpY2U6YTpi", "Basic !!!!", "Basic /zo="]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(bytes: Vec<u8>, text in "[A-Za-z0-9+/=]{0,40}") {
            let _any = HeaderValue::from_bytes(&bytes).ok().as_ref().and_then(credentials);
            let header = HeaderValue::from_str(&format!("Basic {text}")).unwrap();
            let _any = credentials(&header);
        }
    }

    #[test]
    fn digests_differ_where_name_and_password_are_cut_differently() {
        let users = HashMap::from([("a".to_owned(), Secret("$2y$04$x".to_owned()))]);
        let login = Login::new(users).unwrap();
        assert_ne!(login.digest("ab", b"c"), login.digest("a", b"bc"));
        assert_eq!(login.digest("ab", b"c"), login.digest("ab", b"c"));
    }

    #[test]
    fn wrong_guesses_do_not_push_out_the_right_password() {
        let users = HashMap::from([("a".to_owned(), Secret("$2y$04$x".to_owned()))]);
        let login = Login::new(users).unwrap();
        login.remember(login.digest("a", b"right"), true);
        for guess in 0..3 * REMEMBERED {
            login.remember(login.digest("a", guess.to_string().as_bytes()), false);
        }
        assert_eq!(login.remembered(&login.digest("a", b"right")), Some(Verdict::Welcome));
        assert!(login.known.lock().unwrap().wrong.len() <= REMEMBERED);
    }

    #[test]
    fn the_decoy_is_as_dear_as_the_dearest_hash() {
        let secret = |text: &str| Secret(text.to_owned());
        let users = HashMap::from([
            ("a".to_owned(), secret("$2y$04$x")),
            ("b".to_owned(), secret("$2y$12$y")),
        ]);
        assert_eq!(Login::new(users).unwrap().decoy, secret("$2y$12$y"));
    }
}
