//! Luck: every random thing is drawn by its own key, so that leaving one out changes no other.

use carillon_tests::random::Random;

/// Names one draw that made something go wrong: whose it was, and its number among theirs.
pub(crate) type FaultId = (u64, u64);

/// Draws from one seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random::new(seed).bits())
    }

    /// The draw `number` of `key`.
    pub(crate) fn roll(self, key: u64, number: u64) -> Random {
        Random::of_case(Random::of_case(self.0, key).bits(), number)
    }
}

/// A fault of one call of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and nothing was done.
    Before,
    /// It is refused for being one too many.
    Throttled,
    /// It is done, and the answer is lost.
    After,
    /// The client repeats it after a while, as the answer to the first try was lost.
    Twice,
    /// The process dies before it.
    DeathBefore,
    /// The process dies after it.
    DeathAfter,
    /// It takes seconds.
    Slow,
}

impl Fault {
    /// Its name in the counts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "error before effect",
            Self::Throttled => "throttle",
            Self::After => "error after effect",
            Self::Twice => "repeated by the client",
            Self::DeathBefore => "crash before effect",
            Self::DeathAfter => "crash after effect",
            Self::Slow => "latency of seconds",
        }
    }
}

/// The luck of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) fault: Option<Fault>,
    /// Time of the request, ms.
    pub(crate) there_ms: u64,
    /// Time of the answer, ms.
    pub(crate) back_ms: u64,
}

impl Fate {
    /// Draws the luck of a call, with a number of faults in 10,000 calls.
    pub(crate) fn draw(random: &mut Random, faults_in_10_000: usize) -> Self {
        use Fault::{After, Before, DeathAfter, DeathBefore, Slow, Throttled, Twice};
        let goes_wrong = random.below(10_000) < faults_in_10_000;
        let fault = random.pick(&[Before, Throttled, After, Twice, DeathBefore, DeathAfter, Slow]);
        let mut latency = || u64::try_from([0, 0, 1, 3, 8, 25][random.below(6)]).unwrap_or(0);
        let (mut there_ms, mut back_ms) = (latency(), latency());
        if goes_wrong && (fault == Slow || fault == Twice) {
            there_ms += u64::try_from(random.below(5_000)).unwrap_or(0);
            back_ms += u64::try_from(random.below(5_000)).unwrap_or(0);
        }
        Self { fault: goes_wrong.then_some(fault), there_ms, back_ms }
    }
}
