//! Passwords are looked at on threads of their own, as many as there are cores, with a queue that has an end: a hash costs 20 ms and 19 MiB,
//! and thousands of them at once would leave the machine nothing for anybody else.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use kernel::Secret;
use tokio::sync::oneshot;

/// Argon2id at OWASP's parameters, which the design names: KiB, rounds, lanes.
const MEMORY_KIB: u32 = 19_456;
const ROUNDS: u32 = 2;
const LANES: u32 = 1;
const SALT: usize = 16;
const OUTPUT: usize = 32;
/// Hashes from elsewhere may cost so much at most, or whoever imports them could stop the service. KiB, rounds.
const MOST: (u32, u32) = (131_072, 8);
/// What waits for each thread at most: at 20 ms each, a second and a quarter.
const QUEUE: usize = 64;
/// bcrypt is taken over from this cost on; up to 2^14 rounds of it.
const BCRYPT: std::ops::RangeInclusive<u32> = 10..=14;

/// A hash of a password that nobody knows, at our own parameters: what is looked at where there is no account, so that it takes as
/// long.
pub const PHC_FOR_NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cHJvZmUtbm9ib2R5LTAxMg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What came of looking at a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It is another one.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, and its hash is not as we make them: it is to be made anew.
    RightButOld,
}

/// Why nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlooked {
    /// Too many wait already.
    Busy,
    /// The machine gives no randomness or no memory.
    Broken,
}

enum Job {
    Hash(Secret, oneshot::Sender<Option<String>>),
    Verify(Secret, String, oneshot::Sender<Looked>),
}

/// The threads. A copy is the same; with the last one they end.
#[derive(Clone)]
pub struct Hasher(SyncSender<Job>);

impl Hasher {
    /// Starts so many threads.
    ///
    /// # Errors
    /// The operating system gives none.
    pub fn start(threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let (queue, jobs) = sync_channel(threads * QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new().name(format!("passwords-{number}")).spawn(move || work(&jobs))?;
        }
        Ok(Self(queue))
    }

    /// The hash under which a password is kept.
    ///
    /// # Errors
    /// See [`Unlooked`].
    pub async fn hash(&self, password: &Secret) -> Result<String, Unlooked> {
        let (sender, answer) = oneshot::channel();
        self.send(Job::Hash(password.clone(), sender))?;
        answer.await.ok().flatten().ok_or(Unlooked::Broken)
    }

    /// Whether a password is the one of this hash: Argon2id, or bcrypt where it was imported.
    ///
    /// # Errors
    /// See [`Unlooked`].
    pub async fn verify(&self, password: &Secret, hash: &str) -> Result<Looked, Unlooked> {
        let (sender, answer) = oneshot::channel();
        self.send(Job::Verify(password.clone(), hash.to_owned(), sender))?;
        answer.await.map_err(|_| Unlooked::Broken)
    }

    fn send(&self, job: Job) -> Result<(), Unlooked> {
        self.0.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Unlooked::Busy,
            TrySendError::Disconnected(_) => Unlooked::Broken,
        })
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // Kept from one password to the next: making 19 MiB anew takes as long as a quarter of the hash.
    let mut memory = Vec::new();
    loop {
        let job = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            Err(_) => return,
        };
        match job {
            // Who went away needs no answer.
            Ok(Job::Hash(_, sender)) if sender.is_closed() => {}
            Ok(Job::Verify(_, _, sender)) if sender.is_closed() => {}
            Ok(Job::Hash(password, sender)) => drop(sender.send(hash(&password, &mut memory))),
            Ok(Job::Verify(password, hash, sender)) => drop(sender.send(verify(&password, &hash, &mut memory))),
            Err(_) => return,
        }
    }
}

fn hash(password: &Secret, memory: &mut Vec<Block>) -> Option<String> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).ok()?;
    let params = Params::new(MEMORY_KIB, ROUNDS, LANES, Some(OUTPUT)).ok()?;
    let output = argon2id(password, &salt, params, memory)?;
    Some(format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={ROUNDS},p={LANES}${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(output)
    ))
}

fn verify(password: &Secret, hash: &str, memory: &mut Vec<Block>) -> Looked {
    if let Some(kept) = Phc::parse(hash) {
        let output = Params::new(kept.memory_kib, kept.rounds, kept.lanes, Some(kept.output.len())).ok();
        let output = output.and_then(|params| argon2id(password, &kept.salt, params, memory));
        let is_right = output.is_some_and(|output| are_equal(&output, &kept.output));
        let is_ours =
            (kept.memory_kib, kept.rounds, kept.lanes, kept.output.len()) == (MEMORY_KIB, ROUNDS, LANES, OUTPUT);
        return match (is_right, is_ours) {
            (false, _) => Looked::Wrong,
            (true, true) => Looked::Right,
            (true, false) => Looked::RightButOld,
        };
    }
    let cost = hash.split('$').nth(2).and_then(|cost| cost.parse().ok());
    let is_right =
        cost.is_some_and(|cost| BCRYPT.contains(&cost)) && bcrypt::verify(password.reveal(), hash).unwrap_or(false);
    if is_right { Looked::RightButOld } else { Looked::Wrong }
}

fn argon2id(password: &Secret, salt: &[u8], params: Params, memory: &mut Vec<Block>) -> Option<Vec<u8>> {
    let (blocks, length) = (params.block_count(), params.output_len().unwrap_or(OUTPUT));
    if memory.len() < blocks {
        memory.resize(blocks, Block::default());
    }
    let mut output = vec![0; length];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let done =
        argon2.hash_password_into_with_memory(password.reveal().as_bytes(), salt, &mut output, &mut memory[..blocks]);
    done.ok().map(|()| output)
}

/// Takes as long wherever they differ.
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

/// A hash of Argon2id in PHC's form.
struct Phc {
    memory_kib: u32,
    rounds: u32,
    lanes: u32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Phc {
    fn parse(text: &str) -> Option<Self> {
        let [costs, salt, output]: [&str; 3] =
            text.strip_prefix("$argon2id$v=19$")?.split('$').collect::<Vec<_>>().try_into().ok()?;
        let cost = |name: &str| costs.split(',').find_map(|part| part.strip_prefix(name)?.parse::<u32>().ok());
        let (memory_kib, rounds, lanes) = (cost("m=")?, cost("t=")?, cost("p=")?);
        let is_bearable = memory_kib <= MOST.0 && rounds <= MOST.1 && lanes <= 16;
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).ok();
        let (salt, output) = (decode(salt)?, decode(output)?);
        (is_bearable && (16..=64).contains(&output.len())).then_some(Self { memory_kib, rounds, lanes, salt, output })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn check_1_hashes_are_argon2id_at_owasps_parameters() {
        let hasher = Hasher::start(1).expect("a thread");
        let password = Secret::new("lluvia en la montaña");
        let hash = hasher.hash(&password).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(hasher.verify(&password, &hash).await, Ok(Looked::Right));
        assert_eq!(hasher.verify(&Secret::new("lluvia en la montana"), &hash).await, Ok(Looked::Wrong));
        assert_ne!(hasher.hash(&password).await.expect("a hash"), hash, "salted");
        assert_eq!(hasher.verify(&password, PHC_FOR_NOBODY).await, Ok(Looked::Wrong));
        assert!(Phc::parse(PHC_FOR_NOBODY).is_some_and(|kept| kept.memory_kib == MEMORY_KIB && kept.rounds == ROUNDS));
        // The seeds' one, made by another implementation.
        let seeded =
            "$argon2id$v=19$m=19456,t=2,p=1$ZJyvgKF2ns6kCZzmxByEuw$4IdgDuEtDMHrrSXGHMo8up+NW0YRosbZlwyZMcrZojA";
        assert_eq!(hasher.verify(&Secret::new("profe-desarrollo"), seeded).await, Ok(Looked::Right));
    }

    #[tokio::test]
    async fn check_1_bcrypt_is_taken_over_from_cost_10_on() {
        let hasher = Hasher::start(1).expect("a thread");
        let password = Secret::new("lluvia en la montaña");
        let imported = bcrypt::hash(password.reveal(), 10).expect("a hash");
        assert_eq!(hasher.verify(&password, &imported).await, Ok(Looked::RightButOld));
        assert_eq!(hasher.verify(&Secret::new("x"), &imported).await, Ok(Looked::Wrong));
        let cheap = bcrypt::hash(password.reveal(), 4).expect("a hash");
        assert_eq!(hasher.verify(&password, &cheap).await, Ok(Looked::Wrong));
        for nonsense in ["", "x", "$2b$99$x", "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"]
        {
            assert_eq!(hasher.verify(&password, nonsense).await, Ok(Looked::Wrong), "{nonsense}");
        }
    }

    #[tokio::test]
    async fn check_2_no_character_of_a_long_password_is_dropped() {
        let hasher = Hasher::start(1).expect("a thread");
        let long = "añ".repeat(300);
        let hash = hasher.hash(&Secret::new(&*long)).await.expect("a hash");
        assert_eq!(hasher.verify(&Secret::new(&*long), &hash).await, Ok(Looked::Right));
        assert_eq!(hasher.verify(&Secret::new(format!("{long}x")), &hash).await, Ok(Looked::Wrong));
        assert_eq!(hasher.verify(&Secret::new(&long[..long.len() - 2]), &hash).await, Ok(Looked::Wrong));
        // Composed and decomposed are two passwords: nothing is folded.
        assert_eq!(hasher.verify(&Secret::new("an\u{303}".repeat(300)), &hash).await, Ok(Looked::Wrong));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let hasher = Hasher::start(1).expect("a thread");
        let password = Secret::new("lluvia en la montaña");
        let mut waiting = Vec::new();
        let refused = loop {
            let (sender, answer) = oneshot::channel();
            match hasher.send(Job::Verify(password.clone(), PHC_FOR_NOBODY.to_owned(), sender)) {
                Ok(()) => waiting.push(answer),
                Err(refused) => break refused,
            }
            assert!(waiting.len() <= QUEUE + 64, "the queue has an end");
        };
        assert_eq!(refused, Unlooked::Busy);
        // Those who went away cost nothing: the next in earnest is soon answered.
        drop(waiting);
        let looked = loop {
            match hasher.verify(&password, PHC_FOR_NOBODY).await {
                Err(Unlooked::Busy) => tokio::task::yield_now().await,
                other => break other,
            }
        };
        assert_eq!(looked, Ok(Looked::Wrong));
    }
}
