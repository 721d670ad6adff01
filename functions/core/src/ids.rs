//! Identifiers of jobs, fires and lease owners.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use ulid::Ulid;

use crate::hash::hex;
use crate::time::UnixMillis;

/// The id of a job: `job_` and a ULID, so that later jobs sort after earlier ones.
///
/// ```
/// use carillon_core::{ids::JobId, time::UnixMillis};
/// let id = JobId::new(UnixMillis(1_700_000_000_000), 7);
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert!("job_not-a-ulid".parse::<JobId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Ulid);

const PREFIX: &str = "job_";

impl JobId {
    /// Creates an id. The instant gives its order, 80 of the random bits make it unique.
    pub fn new(created_at: UnixMillis, random: u128) -> Self {
        Self(Ulid::from_parts(created_at.0.try_into().unwrap_or(0), random))
    }

    /// The 16 bytes of the id, which sort as ids do: the short form for keys of a store.
    ///
    /// ```
    /// use carillon_core::{ids::JobId, time::UnixMillis};
    /// let id = JobId::new(UnixMillis(1_700_000_000_000), 7);
    /// assert_eq!(JobId::from_bytes(id.to_bytes()), id);
    /// ```
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// The id of these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Ulid::from_bytes(bytes))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct MalformedId(&'static str);

impl FromStr for JobId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let malformed = MalformedId("job id (job_ and a ULID)");
        let ulid = text.strip_prefix(PREFIX).ok_or(malformed.clone())?;
        let ulid = Ulid::from_string(ulid).map_err(|_| malformed.clone())?;
        // Parsing a ULID ignores case, but a job has exactly one name.
        let id = Self(ulid);
        if id.to_string() == text { Ok(id) } else { Err(malformed) }
    }
}

/// A fire: one occurrence of a job, which has exactly one recorded outcome.
///
/// Every retry raises the generation, which makes timers and messages of older fires void; a cancelled job accepts no
/// fire. The fires of a job sort by generation, then by run. The text form `job_…_g1_r1` is the `webhook-id` that all
/// attempts of the fire carry.
///
/// ```
/// use carillon_core::ids::Fire;
/// let fire: Fire = "job_01HF7YAT00000000000000000Z_g2_r10".parse().unwrap();
/// assert_eq!((fire.generation, fire.run_no), (2, 10));
/// assert_eq!(fire.to_string(), "job_01HF7YAT00000000000000000Z_g2_r10");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fire {
    /// The job.
    pub job_id: JobId,
    /// The generation of the job that this fire belongs to, from 1.
    pub generation: u32,
    /// Which run of the job it is, from 1.
    pub run_no: u32,
}

impl fmt::Display for Fire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_g{}_r{}", self.job_id, self.generation, self.run_no)
    }
}

impl fmt::Debug for Fire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fire {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let malformed = || MalformedId("fire (a job id, _g and a generation, _r and a run number)");
        let (rest, run_no) = text.rsplit_once("_r").ok_or_else(malformed)?;
        let (job_id, generation) = rest.rsplit_once("_g").ok_or_else(malformed)?;
        let fire = Self {
            job_id: job_id.parse()?,
            generation: generation.parse().map_err(|_| malformed())?,
            run_no: run_no.parse().map_err(|_| malformed())?,
        };
        if fire.to_string() == text { Ok(fire) } else { Err(malformed()) }
    }
}

/// The holder of a lease: a fresh random name for each claim, so that no two claims can be mistaken for each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// A new owner out of 128 random bits.
    pub fn new(random: u128) -> Self {
        Self(hex(&random.to_be_bytes()))
    }

    /// Its name, 32 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! serialized_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}
serialized_as_text!(JobId, Fire);
