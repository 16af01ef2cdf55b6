//! One connection to the server, and what its failures mean.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, SimpleQueryMessage, SimpleQueryRow, Statement};

use super::address::Address;
use crate::error::{Error, Kind};

/// How long connecting may take in all, the handshakes included.
const CONNECTING: Duration = Duration::from_secs(15);
/// How long sent bytes may go unacknowledged before the connection counts as cut.
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

/// Why a step was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection is gone, or the server cannot do it now; of a commit it is not known whether it happened.
    Lost {
        /// What happened.
        error: Error,
        /// Whether the server is only starting, or coming back.
        starting: bool,
    },
    /// It was refused, and will be again.
    Refused(Error),
}

pub(super) type Step<T> = Result<T, Failure>;

impl Failure {
    pub(super) fn lost(text: impl Into<String>) -> Self {
        Self::Lost {
            error: Error::new(Kind::Unavailable, text),
            starting: false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(e: tokio_postgres::Error) -> Self {
        let Some(code) = e.code().cloned() else {
            return match without_code(&e) {
                true => Self::Lost {
                    error: Error::new(
                        Kind::Unavailable,
                        "the connection to the journal's database is gone",
                    )
                    .with_source(e),
                    starting: false,
                },
                false => Self::Refused(
                    Error::new(Kind::Unavailable, "the journal's database cannot be used").with_source(e),
                ),
            };
        };
        let text = match &code {
            c if passes(c) => {
                let starting = *c == SqlState::CANNOT_CONNECT_NOW;
                let text = "the journal's database cannot do this now";
                return Self::Lost {
                    error: Error::new(Kind::Unavailable, text).with_source(e),
                    starting,
                };
            }
            c if *c == SqlState::DATA_CORRUPTED || *c == SqlState::INDEX_CORRUPTED => {
                let text = "the journal's database is damaged";
                return Self::Refused(Error::new(Kind::Damaged, text).with_source(e));
            }
            c if *c == SqlState::DISK_FULL => "the disk of the journal's database is full",
            c if c.code().starts_with("28") => "the journal's database does not let this user in",
            c if *c == SqlState::INVALID_CATALOG_NAME => "the server has no such database for the journal",
            c if *c == SqlState::INSUFFICIENT_PRIVILEGE => {
                "this user may not do that in the journal's database"
            }
            _ => "the journal's database failed",
        };
        Self::Refused(Error::new(Kind::Unavailable, text).with_source(e))
    }
}

/// Says whether an error that did not come from the server is one of the connection.
fn without_code(e: &tokio_postgres::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            // A server that does not prove who it is will not do so later.
            return io.kind() != std::io::ErrorKind::InvalidData;
        }
        next = cause.source();
    }
    e.is_closed()
}

/// Says whether what the server says passes by itself: it ends, starts, is a follower now, or has somebody else's lock.
fn passes(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

/// What goes into a statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// One connection, with the statements that the server knows already. It is closed when dropped.
pub(super) struct Link {
    client: Client,
    prepared: Mutex<HashMap<&'static str, Statement>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// Connects; with `writes`, to a server that takes writes.
    pub(super) async fn open(address: &Address, writes: bool) -> Step<Self> {
        match tokio::time::timeout(CONNECTING, Self::connect(address, writes)).await {
            Ok(link) => link,
            Err(_) => Err(Failure::lost(format!(
                "the server did not answer within {} seconds",
                CONNECTING.as_secs()
            ))),
        }
    }

    async fn connect(address: &Address, writes: bool) -> Step<Self> {
        let mut config = address.config().clone();
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED);
        }
        if writes {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let (client, connection) = config.connect(address.tls().clone()).await?;
        tokio::spawn(async move {
            // How it ended is told to whoever waits for an answer.
            let _ = connection.await;
        });
        // What a role or a database has set otherwise must not weaken what is promised here. A writer that stops within a
        // transaction holds the leader row; the server lets go of it when the writer's lease is over, too.
        let settings = format!(
            "SET search_path TO \"{}\"; SET lock_timeout = '10s'; SET statement_timeout = 0; \
             SET idle_in_transaction_session_timeout = '3s'; SET client_min_messages = 'error'; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'",
            address.schema()
        );
        client.batch_execute(&settings).await?;
        Ok(Self {
            client,
            prepared: Mutex::default(),
        })
    }

    async fn statement(&self, sql: &'static str) -> Step<Statement> {
        let mut prepared = self.prepared.lock().await;
        if let Some(statement) = prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        prepared.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Answers a query.
    pub(super) async fn rows(&self, sql: &'static str, values: Values<'_>) -> Step<Vec<Row>> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// Answers a query that has one row at most.
    pub(super) async fn row(&self, sql: &'static str, values: Values<'_>) -> Step<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Runs a statement and returns how many rows it was about.
    pub(super) async fn execute(&self, sql: &'static str, values: Values<'_>) -> Step<u64> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, values).await?)
    }

    /// Runs statements without values.
    pub(super) async fn batch(&self, sql: &str) -> Step<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Runs statements without values in one round, and returns the first row that comes, as text.
    pub(super) async fn text(&self, sql: &str) -> Step<Option<SimpleQueryRow>> {
        let messages = self.client.simple_query(sql).await?;
        Ok(messages.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        }))
    }

    /// Ends a transaction: with a commit if what was done in it was done, undone otherwise.
    pub(super) async fn end<T>(&self, done: Step<T>) -> Step<T> {
        match done {
            Ok(value) => self.batch("COMMIT").await.map(|()| value),
            Err(failure) => {
                // If even this fails the connection is dropped, which undoes it, too.
                let _ = self.batch("ROLLBACK").await;
                Err(failure)
            }
        }
    }
}
