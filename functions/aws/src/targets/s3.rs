//! S3: objects.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use aws_types::SdkConfig;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::job::{Output, RunError};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::fault::fault;
use super::small;

const SERVICE: &str = "Amazon S3";

/// Creates a client. With an endpoint of its own, bucket names are part of the path instead of the host.
pub(super) fn client(config: &SdkConfig) -> Client {
    let is_own = config.endpoint_url().is_some();
    Client::from_conf(Builder::from(config).force_path_style(is_own).build())
}

/// Writes an object with its checksum, which S3 verifies.
pub(super) async fn put(
    client: &Client,
    bucket: String,
    key: String,
    content_type: String,
    content: Vec<u8>,
) -> Result<Output, RunError> {
    let checksum = STANDARD.encode(Sha256::digest(&content));
    let mut result = json!({
        "bucket": bucket, "key": key, "size": content.len(), "content_type": content_type, "checksum_sha256": checksum,
    });
    let request = client.put_object().bucket(bucket).key(key).content_type(content_type).checksum_sha256(&checksum);
    let put = request.body(ByteStream::from(content)).send().await.map_err(|error| fault(SERVICE, &error))?;
    result["etag"] = put.e_tag.unwrap_or_default().into();
    if let Some(version) = put.version_id {
        result["version_id"] = version.into();
    }
    Ok(small(result))
}
