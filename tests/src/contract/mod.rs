//! The contract of every adapter of the core's ports, whatever it stores things in.
//!
//! Each check is one function over [`Ports`](carillon_core::ports::Ports) that are fresh: nothing is stored in them.
//! [`contract!`](crate::contract!) makes a test of each, for one adapter:
//!
//! ```text
//! carillon_tests::contract!(MyStack::new().await); // derefs to its ports, and may clean up when it is dropped
//! ```

#![allow(clippy::missing_panics_doc, reason = "a check panics when the adapter breaks the contract")]

mod catalogs;
mod jobs;
mod keys;
mod listing;
mod progress;
mod requests;
mod results;
mod runs;
pub mod samples;
mod sealing;
mod timers;
mod wait_slots;

/// Makes a test of every check. The expression gives a fresh stack: something that derefs to its ports.
#[macro_export]
macro_rules! contract {
    ($stack:expr) => {
        $crate::contract_checks! { contract_tests $stack; }
    };
}

/// The one list of checks, given to a macro behind its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_checks {
    ($then:ident $($first:tt)*) => {
        $crate::$then! { $($first)*
            jobs::a_stored_job_is_read_back_as_it_was,
            jobs::a_job_that_nobody_stored_is_not_found,
            jobs::an_id_that_is_taken_is_a_conflict_and_changes_nothing,
            jobs::an_insert_that_is_repeated_is_done_until_its_job_changes,
            jobs::a_change_is_seen_by_every_later_read,
            jobs::a_change_on_an_outdated_revision_is_a_conflict_and_changes_nothing,
            jobs::a_change_of_a_job_that_nobody_stored_is_a_conflict,
            jobs::exactly_one_of_many_concurrent_changes_wins,
            jobs::exactly_one_of_many_concurrent_inserts_of_an_id_wins,
            jobs::many_concurrent_writes_do_not_mix,
            jobs::a_job_goes_its_whole_way,
            jobs::an_input_and_a_result_of_256_kb_are_kept,
            jobs::every_unicode_text_is_kept,
            jobs::every_field_of_a_job_is_kept,
            jobs::a_change_of_what_is_asked_for_is_kept_whatever_its_size,
            jobs::a_lost_race_changes_nothing_of_what_is_asked_for,
            listing::jobs_are_listed_newest_first,
            listing::pages_follow_each_other_without_gap_or_duplicate_while_jobs_arrive,
            listing::a_status_lists_the_jobs_that_have_it_now,
            listing::another_product_or_environment_is_not_listed,
            listing::listed_jobs_are_complete,
            runs::retired_runs_are_listed_latest_first_in_pages,
            runs::a_lost_race_retires_nothing,
            runs::a_job_without_retired_runs_has_none,
            runs::a_history_of_large_results_is_listed_whole,
            catalogs::a_published_catalog_is_read_back_as_it_was,
            catalogs::a_product_without_a_catalog_has_none,
            catalogs::conditions_decide_what_is_replaced,
            catalogs::conditions_decide_what_is_deleted,
            catalogs::exactly_one_of_many_concurrent_first_publications_wins,
            catalogs::products_do_not_mix,
            keys::a_key_is_found_by_its_hash_and_by_no_other,
            keys::a_key_that_is_added_again_is_replaced,
            results::a_result_is_remembered_under_its_key_and_no_other,
            results::a_result_of_256_kb_is_remembered_whole,
            results::a_result_is_forgotten_after_its_time,
            results::exactly_one_of_many_leads,
            results::a_leader_that_asks_again_still_leads,
            results::a_lease_ends_when_it_is_given_up_or_its_time_is_over,
            results::entries_are_listed_in_pages,
            results::what_was_made_before_a_cache_was_emptied_is_forgotten,
            requests::a_reservation_is_found_under_its_name,
            requests::exactly_one_of_many_reservations_stands,
            requests::a_reservation_ends_with_its_time,
            sealing::what_is_sealed_is_opened_by_the_name_of_its_key,
            sealing::the_key_stays_the_same_for_a_while,
            sealing::a_key_that_nobody_has_is_not_found,
            progress::parts_are_found_with_their_run_as_they_were_noted_last,
            progress::large_parts_are_kept_whole,
            progress::a_counter_goes_to_its_limit_and_counts_each_part_once,
            progress::a_counter_is_reset_once,
            progress::a_hundred_at_once_count_up_to_the_limit_and_no_further,
            progress::the_health_of_options_is_what_was_said_last,
            timers::arming_again_and_disarming_what_is_not_armed_does_no_harm,
            wait_slots::a_slot_is_taken_by_one_of_many_until_it_is_released,
            wait_slots::a_slot_ends_with_its_time,
        }
    };
}

/// Used by [`contract!`](crate::contract!).
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($stack:expr; $($module:ident::$check:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let stack = $stack;
            $crate::contract::$check(&*stack).await;
        }
    )*};
}

/// Makes the checks public. The modules are private, so a check that is missing from the list is dead code, which the lints
/// refuse.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_exports {
    ($($module:ident::$check:ident),* $(,)?) => { $(pub use self::$module::$check;)* };
}

contract_checks! { contract_exports }
