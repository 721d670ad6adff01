//! PostgreSQL statements, over its own protocol.
//!
//! Bound values are sent apart from the statement, as text with a type: nothing of them is ever read as SQL. Each
//! statement is a transaction of its own, and the server is told to end it shortly before the attempt's time is over,
//! so that its outcome is known. See [`address`] for the connection URL, [`pool`] for kept connections, [`error`] for
//! errors, and [`cell`] for values.

pub(crate) mod address;
mod binary;
pub(crate) mod cell;
mod connection;
mod encrypted;
pub(crate) mod error;
mod parameter;
pub(crate) mod pool;
mod rows;

use std::time::Duration;

use carillon_core::hash::sha256_hex;
use carillon_core::job::{Output, RunError};
use carillon_core::ports::Clock;
use carillon_core::request::SqlRequest;
use carillon_core::time::UnixMillis;
use carillon_outbound::Outbound;
use carillon_outbound::secrets::{Secret, SecretSource, with_renewed_secret};
use futures_util::future::join;
use tokio_postgres::{Client, Statement};
use zeroize::Zeroizing;

use self::address::Address;
use self::connection::Connector;
use self::error::Failure;
use self::pool::{Pool, Pools};

/// Timeout for checking that a kept connection still works.
const PROBE: Duration = Duration::from_secs(5);

/// Resets a session for its next user: everything of `DISCARD ALL` except what the driver relies on.
const CLEAN: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
                     SELECT pg_advisory_unlock_all(); DISCARD SEQUENCES; DISCARD TEMP; ";

/// PostgreSQL servers. Clones share their connections.
#[derive(Clone)]
pub struct Postgres<S, C> {
    secrets: S,
    clock: C,
    connector: Connector,
    pools: Pools,
}

impl<S: SecretSource, C: Clock + Clone + 'static> Postgres<S, C> {
    /// Servers behind a guarded way out, with the source of their addresses, and the clock by which connections grow old.
    pub fn new(outbound: Outbound, secrets: S, clock: C) -> Self {
        Self { secrets, clock, connector: Connector::new(outbound), pools: Pools::default() }
    }

    /// Runs the statement within `timeout`. If the login with a cached URL fails, the URL is fetched once more,
    /// because the password may have changed.
    ///
    /// # Errors
    ///
    /// By the table of [`error`], and those of the outbound client and the secrets.
    pub async fn perform(&self, timeout: Duration, request: SqlRequest) -> Result<Output, RunError> {
        let deadline = Deadline { clock: &self.clock, at: self.clock.now().plus(millis(timeout)) };
        with_renewed_secret(&self.secrets, &request.url, |url| self.perform_at(url, &request, &deadline)).await
    }

    async fn perform_at(
        &self,
        url: Secret,
        request: &SqlRequest,
        deadline: &Deadline<'_, C>,
    ) -> Result<Output, RunError> {
        let address = Address::parse(url.expose()).map_err(|reason| error::unusable(&request.url, reason))?;
        let root = match &request.root_certificate {
            Some(reference) => Some((reference, self.secrets.fetch(reference).await?)),
            None => None,
        };
        let roots = root.as_ref().map(|(reference, secret)| (*reference, secret.expose()));
        let pool = self.pools.of(digest(url.expose(), roots.map_or("", |(_, pem)| pem)));
        let _place = pool.place().await;
        let (client, statement) = if let Some(ready) = self.warm(&pool, request, deadline).await? {
            ready
        } else {
            let client = self.connector.connect(&address, roots).await?;
            let statement = prepare(&client, "", request, deadline.remaining()).await.map_err(Failure::into_error)?;
            (client, statement)
        };
        let output = rows::read(&client, &statement, request).await;
        if output.as_ref().err().is_none_or(Failure::leaves_connection) {
            pool.keep(client, self.clock.clone());
        }
        output.map_err(Failure::into_error)
    }

    /// A kept connection that works, with the statement prepared; `None` if there is none.
    async fn warm(
        &self,
        pool: &Pool,
        request: &SqlRequest,
        deadline: &Deadline<'_, C>,
    ) -> Result<Option<(Client, Statement)>, RunError> {
        let Some(client) = pool.take(self.clock.now()) else { return Ok(None) };
        let probe = PROBE.min(deadline.remaining() / 2);
        match tokio::time::timeout(probe, prepare(&client, CLEAN, request, deadline.remaining())).await {
            Ok(Ok(statement)) => Ok(Some((client, statement))),
            Ok(Err(failure)) if failure.leaves_connection() => {
                pool.keep(client, self.clock.clone());
                Err(failure.into_error())
            }
            // Nothing has run yet. Others that were kept are as old, and have most likely met the same fate.
            Ok(Err(_)) | Err(_) => {
                pool.forget();
                Ok(None)
            }
        }
    }
}

/// Cleans the session, bounds what runs next, and has the server look at the statement: in one round trip, without running it.
async fn prepare(client: &Client, clean: &str, request: &SqlRequest, left: Duration) -> Result<Statement, Failure> {
    let set = format!("{clean}SET statement_timeout = {}", statement_timeout_ms(left));
    let types = parameter::types(&request.parameters);
    // They are sent in this order, the second without waiting for the first.
    let (set, prepared) = join(client.batch_execute(&set), client.prepare_typed(&request.statement, &types)).await;
    set.map_err(Failure::Broken)?;
    let statement = prepared.map_err(Failure::of)?;
    rows::check(&statement)?;
    Ok(statement)
}

/// A tenth before the time is over, and half a second at most.
fn statement_timeout_ms(left: Duration) -> i64 {
    let margin = (left / 10).min(Duration::from_millis(500));
    // 0 would mean none.
    millis(left.saturating_sub(margin)).clamp(1, i32::MAX.into())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn digest(url: &str, root_certificate: &str) -> String {
    sha256_hex(&*Zeroizing::new([&url.len().to_string(), ":", url, root_certificate].concat()))
}

/// When the attempt's time is over.
struct Deadline<'a, C> {
    clock: &'a C,
    at: UnixMillis,
}

impl<C: Clock> Deadline<'_, C> {
    fn remaining(&self) -> Duration {
        Duration::from_millis(self.at.since(self.clock.now()).try_into().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
