//! The tables, made by the first writer, and the settings of the server that durability rests on.

use super::address::Address;
use super::link::{Link, Step};
use crate::error::{Error, Kind};

/// The version of the tables below, kept in the `journal` table.
const FORMAT: i32 = 1;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS journal (
    id smallint PRIMARY KEY CHECK (id = 1), format integer NOT NULL, origin text, epoch bigint NOT NULL,
    last_frame bigint NOT NULL, last_hash bytea NOT NULL,
    holder bigint, holder_pid bigint, holder_host text, holder_backend integer, lease_until timestamptz
);
CREATE TABLE IF NOT EXISTS fact (
    seq bigint PRIMARY KEY, header bytea NOT NULL, leaf bytea NOT NULL, erased_by bigint, body bytea
);
CREATE TABLE IF NOT EXISTS frame (number bigint PRIMARY KEY, bytes bytea NOT NULL, hash bytea NOT NULL);
CREATE TABLE IF NOT EXISTS tile (
    level smallint NOT NULL, number bigint NOT NULL, hash bytea NOT NULL, PRIMARY KEY (level, number)
);
CREATE TABLE IF NOT EXISTS checkpoint (number bigint PRIMARY KEY, note text NOT NULL);
CREATE TABLE IF NOT EXISTS snapshot (
    seq bigint NOT NULL, fold_version bigint NOT NULL, frame bigint NOT NULL, frame_hash bytea NOT NULL,
    hash bytea NOT NULL, body bytea NOT NULL, PRIMARY KEY (seq, fold_version)
);
INSERT INTO journal (id, format, epoch, last_frame, last_hash)
    VALUES (1, 1, 0, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT (id) DO NOTHING;
";
/// Two that begin the same journal at once take turns; the number is nobody else's.
const TURN: &str = "SELECT pg_advisory_xact_lock(7884713263011)";

/// Creates what is missing, and refuses a server that does not keep what it has confirmed.
pub(super) async fn set_up(link: &Link, address: &Address) -> Step<()> {
    let setting = "SELECT current_setting('fsync'), current_setting('synchronous_commit')";
    let row = link.row(setting, &[]).await?;
    let (fsync, commit) = match &row {
        Some(row) => (row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?),
        None => Default::default(),
    };
    if fsync != "on" || commit == "off" {
        let text = format!(
            "PostgreSQL does not sync what it confirms here (fsync = {fsync}, synchronous_commit = {commit})"
        );
        return Err(Error::new(Kind::Unavailable, text).into());
    }
    if is_there(link).await? {
        return Ok(());
    }
    link.batch("BEGIN").await?;
    let made = make(link, address).await;
    link.end(made).await
}

async fn make(link: &Link, address: &Address) -> Step<()> {
    link.batch(TURN).await?;
    link.batch(&format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", address.schema()))
        .await?;
    link.batch(TABLES).await
}

/// Says whether the journal has been begun, and refuses one in a format that this version does not know.
pub(super) async fn is_there(link: &Link) -> Step<bool> {
    let table = "SELECT to_regclass(current_schema() || '.journal') IS NOT NULL";
    let there = match link.row(table, &[]).await? {
        Some(row) => row.try_get::<_, Option<bool>>(0)?.unwrap_or(false),
        None => false,
    };
    if !there {
        return Ok(false);
    }
    let row = link.row("SELECT format FROM journal WHERE id = 1", &[]).await?;
    match row.map(|row| row.try_get::<_, i32>(0)).transpose()? {
        None => Ok(false),
        Some(FORMAT) => Ok(true),
        Some(other) => {
            let text = format!("the journal has format {other}; this version knows format {FORMAT}");
            Err(Error::new(Kind::Newer, text).into())
        }
    }
}
