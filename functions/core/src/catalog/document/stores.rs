//! Databases with their statements, and object storages.

use crate::catalog::leaf::{Arn, MaxBytes, MaxRows, SecretRef, TimeoutMs};
use crate::catalog::statement::Statement;
use crate::catalog::tag::{PerEnv, Tagged};
use crate::json::document;
use crate::words::words;

document! {
    /// A database with its statements.
    struct Database {
        /// The kind of database.
        engine: Engine,
        /// Its address, by environment.
        envs: PerEnv<DatabaseEnv>,
        /// Its statements.
        actions: Tagged<DatabaseAction>,
    }

    /// The address of a database. PostgreSQL: `url`, or `resource_arn` and `secret_arn` (RDS Data API).
    struct DatabaseEnv {
        /// The connection URL, as a secret.
        url: Option<SecretRef>,
        /// The root certificates that the server's certificate must descend from, as PEM; default the system's.
        root_certificate: Option<SecretRef>,
        /// RDS Data API: the cluster.
        resource_arn: Option<Arn>,
        /// RDS Data API: its credentials.
        secret_arn: Option<Arn>,
        /// RDS Data API: the database's name.
        database: Option<String>,
        /// DynamoDB: the region, if it is not the deployment's own.
        region: Option<String>,
    }

    /// One statement with `{{name:TYPE:min:max}}` placeholders, which are always bound and never spliced.
    struct DatabaseAction {
        /// SQL or PartiQL, exactly one statement.
        statement: Statement,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
        /// Rows that the result keeps; default 1000.
        max_rows: Option<MaxRows>,
    }

    /// An object storage.
    struct Storage {
        /// Buckets by environment.
        envs: PerEnv<StorageEnv>,
        /// Largest object.
        max_bytes: Option<MaxBytes>,
    }

    /// A bucket.
    struct StorageEnv {
        /// Its name.
        bucket: String,
        /// The prefix of object keys.
        prefix: Option<String>,
        /// The region, if it is not the deployment's own.
        region: Option<String>,
    }
}

words! {
    /// A kind of database.
    enum Engine {
        /// PostgreSQL.
        Postgresql = "postgresql",
        /// Amazon DynamoDB.
        Dynamodb = "dynamodb",
    }
}
