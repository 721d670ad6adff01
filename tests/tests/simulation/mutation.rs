//! The mutants: what is broken on purpose, to see that it is noticed.

use carillon_core::machine::mutants::Mutant;

/// Something that is broken: a rule of the state machine, or what an adapter or an operation has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A rule of the state machine.
    Rule(Mutant),
    /// The store takes a change whatever the job's revision is.
    RevisionUnchecked,
    /// The store says that a new job is stored when it is not.
    StoredInName,
    /// A timer is armed after the job is stored, not before.
    StoredBeforeArmed,
    /// A timer that could not be armed counts as armed.
    ArmFaultForgotten,
    /// A message that finds no job is forgotten at once, without its grace.
    GraceDropped,
    /// A message is forgotten when it is received, not when it is done with.
    ForgottenAtReceipt,
    /// A catalog that is asked for past every cache comes from the cache.
    FreshFromCache,
    /// A cached catalog is never read again.
    CatalogKeptForGood,
    /// A cached key is never read again.
    KeyKeptForGood,
    /// The precondition of an edit is not looked at.
    PreconditionIgnored,
    /// An edit that is answered 412 is carried out anyway.
    RefusedAndMade,
    /// A job out of a list is acted on without asking whether it still has that revision.
    ListedTrusted,
    /// Some jobs are in no list.
    ListLosesJobs,
    /// The cache is not consulted.
    ConsultIgnored,
    /// A failure is cached like a result.
    FailureRemembered,
    /// A failed attempt keeps the fill lease.
    LeaseKept,
    /// A cached result never expires.
    ExpiryIgnored,
    /// A cache that is cleared keeps what it has.
    ClearIgnored,
    /// A result is dropped from the cache at once.
    FillForgotten,
    /// The record of a key is not read.
    ReservationIgnored,
    /// The request under a key is not compared.
    BodyUnchecked,
    /// A request that is carried out again is so as if it were new: its job has another id.
    InstantForgotten,
    /// A job that is stored again takes the place of what has become of it.
    InsertReplaces,
    /// A repeated request is not marked as a replay.
    ReplayUntold,
    /// The store says that a part is noted when it is not.
    NoteForgotten,
    /// Nobody reads which parts are done.
    DoneUnread,
    /// The results of finished parts are lost.
    DoneEmptied,
    /// The job's state is not checked between two parts.
    BeginUnchecked,
    /// A counter counts whatever it is sent again.
    CountedAgain,
    /// A counter goes past its limit.
    QuotaIgnored,
    /// Options are tried in order, whether they fail or not.
    HealthIgnored,
}

impl Mutation {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let others = [
            Self::RevisionUnchecked,
            Self::StoredInName,
            Self::StoredBeforeArmed,
            Self::ArmFaultForgotten,
            Self::GraceDropped,
            Self::ForgottenAtReceipt,
            Self::FreshFromCache,
            Self::CatalogKeptForGood,
            Self::KeyKeptForGood,
            Self::PreconditionIgnored,
            Self::RefusedAndMade,
            Self::ListedTrusted,
            Self::ListLosesJobs,
            Self::ConsultIgnored,
            Self::FailureRemembered,
            Self::LeaseKept,
            Self::ExpiryIgnored,
            Self::ClearIgnored,
            Self::FillForgotten,
            Self::ReservationIgnored,
            Self::BodyUnchecked,
            Self::InstantForgotten,
            Self::InsertReplaces,
            Self::ReplayUntold,
            Self::NoteForgotten,
            Self::DoneUnread,
            Self::DoneEmptied,
            Self::BeginUnchecked,
            Self::CountedAgain,
            Self::QuotaIgnored,
            Self::HealthIgnored,
        ];
        Mutant::ALL.into_iter().map(Self::Rule).chain(others).collect()
    }

    /// The invariant that it breaks.
    pub(crate) fn breaks(self) -> &'static str {
        use Mutant as Rule;
        match self {
            Self::StoredInName | Self::StoredBeforeArmed | Self::InstantForgotten => "I1",
            Self::RevisionUnchecked | Self::ListedTrusted => "I2",
            Self::FreshFromCache | Self::CatalogKeptForGood => "catalog",
            Self::KeyKeptForGood => "key",
            Self::PreconditionIgnored => "If-Match",
            Self::RefusedAndMade => "API",
            Self::ListLosesJobs => "list",
            Self::ConsultIgnored | Self::FillForgotten => "single flight",
            Self::FailureRemembered | Self::ExpiryIgnored | Self::ClearIgnored => "recall",
            Self::LeaseKept => "waiting",
            Self::ReservationIgnored | Self::BodyUnchecked | Self::InsertReplaces | Self::ReplayUntold => {
                "key of a request"
            }
            Self::NoteForgotten | Self::DoneUnread => "steps",
            Self::DoneEmptied => "I7",
            Self::BeginUnchecked => "I6",
            Self::CountedAgain | Self::QuotaIgnored => "quota",
            Self::HealthIgnored => "fallback",
            Self::ArmFaultForgotten | Self::GraceDropped | Self::ForgottenAtReceipt => "I4",
            Self::Rule(rule) => match rule {
                Rule::PausedVoid | Rule::PauseDisarms => "I4",
                Rule::LeaseIgnored | Rule::OwnerUnchecked | Rule::OutcomeIgnored | Rule::GenerationKept => "I2",
                Rule::LimitOffByOne | Rule::EndDateIgnored => "I3",
                Rule::AttemptUncounted | Rule::LostAttemptFree | Rule::SuspensionCounted => "I5",
                Rule::PauseIgnored | Rule::CancelIgnored => "I6",
                Rule::VoidFireClaimed => "I7",
                Rule::EarlyClaimed => "on time",
                Rule::SkippedUncounted
                | Rule::NextFromCompletion
                | Rule::RetriedAhead
                | Rule::ZoneIgnored
                | Rule::ClockChangesIgnored => "cadence",
                Rule::SpentNotDeadLettered => "dead_lettered",
                Rule::RecallCounted => "recall",
            },
        }
    }

    /// The rule that it breaks, if it is one.
    pub(crate) fn rule(self) -> Option<Mutant> {
        match self {
            Self::Rule(mutant) => Some(mutant),
            _ => None,
        }
    }
}
