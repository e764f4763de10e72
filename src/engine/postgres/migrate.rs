//! Brings the schema of the database to the form that this version uses.
//!
//! Migrations only add: a schema says from which number on a program must know it (`readable_by`), so that older and newer
//! programs run side by side during an upgrade.

use super::{
    connect::Address,
    open::OpenError,
    session::{CallError, Live, Session},
};

/// The migrations in order, each with the oldest form that a program must know to use the schema after it.
const MIGRATIONS: &[Migration] = &[Migration { number: 1, readable_by: 1, sql: include_str!("migrations/1.sql") }];

/// The oldest Postgres that has everything used here.
const OLDEST_SERVER: i32 = 150_000;
/// Identifies the lock that processes migrating at the same time take, with the schema's name.
const LOCK: i32 = 0x7e47;

struct Migration {
    number: i32,
    readable_by: i32,
    sql: &'static str,
}

/// What is known about a database before it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// The version of the server, such as 150004.
    pub(super) server: i32,
    /// Whether commits survive a crash of the server's machine.
    pub(super) is_durable: bool,
    /// The number of the newest migration; 0 without a schema.
    pub(super) number: i32,
    /// The oldest form that a program must know to use the schema.
    pub(super) readable_by: i32,
}

impl Condition {
    /// # Errors
    /// Why the database cannot be used.
    pub(super) fn judge(&self) -> Result<(), OpenError> {
        let ours = MIGRATIONS.last().map_or(0, |last| last.number);
        if self.server < OLDEST_SERVER {
            return Err(OpenError::TooOld { version: self.server / 10_000 });
        }
        if !self.is_durable {
            return Err(OpenError::NotDurable);
        }
        if self.readable_by > ours {
            return Err(OpenError::NewerSchema { needs: self.readable_by, ours });
        }
        Ok(())
    }
}

/// Looks at a database without changing it.
pub(super) async fn look(live: &Live, schema: &str) -> Result<Condition, CallError> {
    let row = live
        .one(
            "SELECT current_setting('server_version_num')::int, current_setting('fsync') = 'on', \
             to_regclass($1) IS NOT NULL",
            &[&format!("{schema}.version")],
        )
        .await?;
    let (number, readable_by) = if row.get(2) {
        let version = live.one("SELECT max(number), max(readable_by) FROM version", &[]).await?;
        (version.get::<_, Option<i32>>(0).unwrap_or(0), version.get::<_, Option<i32>>(1).unwrap_or(0))
    } else {
        (0, 0)
    };
    Ok(Condition { server: row.get(0), is_durable: row.get(1), number, readable_by })
}

/// Checks the database and makes the missing migrations. Processes that do so at the same time wait for each other.
///
/// # Errors
/// [`OpenError`].
pub(super) fn migrate(session: &mut Session, address: &Address) -> Result<(), OpenError> {
    let schema = address.schema.clone();
    let condition = session.call(async |live| look(live, &schema).await).map_err(OpenError::unreachable)?;
    condition.judge()?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > condition.number) {
        let Migration { number, readable_by, sql } = migration;
        // One text is one transaction. Whoever comes second finds the number taken, and nothing of its text is made.
        let text = format!(
            "BEGIN;\n\
             SELECT pg_advisory_xact_lock({LOCK}, hashtext('{schema}'));\n\
             CREATE SCHEMA IF NOT EXISTS {schema};\n\
             CREATE TABLE IF NOT EXISTS version (number int PRIMARY KEY, at timestamptz NOT NULL, readable_by int NOT NULL);\n\
             INSERT INTO version VALUES ({number}, now(), {readable_by});\n\
             {sql}\n\
             COMMIT;"
        );
        let made = session.call(async |live| {
            let made = live.batch(&text).await;
            if made.is_err() {
                // The text stops at its first mistake, inside its transaction.
                live.batch("ROLLBACK").await?;
            }
            made
        });
        match made {
            Ok(()) => tracing::info!(schema, number, "the schema of the database was migrated"),
            Err(error) => {
                let now = session.call(async |live| look(live, &schema).await).map_err(OpenError::unreachable)?;
                now.judge()?;
                if now.number < *number {
                    return Err(match error.is_lasting() {
                        true => OpenError::NotMigrated { number: *number, reason: error.to_string() },
                        false => OpenError::unreachable(error),
                    });
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USABLE: Condition = Condition { server: 150_004, is_durable: true, number: 1, readable_by: 1 };

    #[test]
    fn a_database_is_judged_before_it_is_used() {
        USABLE.judge().unwrap();
        Condition { number: 7, ..USABLE }.judge().unwrap();
        let judge = |condition: Condition| condition.judge().unwrap_err();
        assert!(matches!(judge(Condition { server: 140_011, ..USABLE }), OpenError::TooOld { version: 14 }));
        assert!(matches!(judge(Condition { is_durable: false, ..USABLE }), OpenError::NotDurable));
        let newer = Condition { number: 7, readable_by: 7, ..USABLE };
        assert!(matches!(judge(newer), OpenError::NewerSchema { needs: 7, ours: 1 }));
    }

    #[test]
    fn migrations_are_numbered_without_a_gap() {
        assert!((1..).zip(MIGRATIONS).all(|(number, migration)| migration.number == number));
        assert!(MIGRATIONS.iter().all(|migration| migration.readable_by <= migration.number));
    }
}
