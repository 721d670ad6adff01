//! `storage`: a file into an object storage. Input: IStorageRequest {buffer, fileName, mimeType}, or `url` in place of `buffer`.
//!
//! | member | |
//! | --- | --- |
//! | `buffer` | the content in base64, with or without padding |
//! | `url` | where the content is fetched from when the job runs, through the guard of all requests; for what is too large for a job. It is held in memory as a whole, like what is given: S3 is told its size and its checksum before its first byte |
//! | `fileName` | the object's key after the storage's prefix: 1 to 1024 bytes, no control characters, no `.` or `..` between slashes |
//! | `mimeType` | the media type; by the name's extension when absent, and `application/octet-stream` for one that is not known |
//!
//! A file has at most as many bytes as the storage's `max_bytes`, 6 MiB unless it says otherwise. The object carries a SHA-256
//! checksum, which S3 holds it to.
//!
//! Result: `{bucket, key, etag, size, content_type, checksum_sha256, version_id?}`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::Method;
use serde_json::Value;

use super::kind::{EventKind, in_env};
use super::needs::Needs;
use crate::catalog::{HttpUrl, SigningSecrets, Storage, StorageEnv, StorageEvent};
use crate::error::FieldCode;
use crate::json::{Field, Read};
use crate::request::AwsRequest;
use crate::request::{HttpRequest, Request, Transfer};

/// The largest file of a storage that does not say.
const MAX_BYTES: u64 = 6 * 1024 * 1024;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<'c> EventKind<'c> for StorageEvent<'c> {
    fn check(&self, _: Option<&str>, input: &Field<'_>) {
        drop(Input::read(self.storage, input));
    }

    fn needs(&self, env: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        in_env(self.storage.envs.get(env), env).map(|_| Needs::aws("Amazon S3"))
    }

    fn request(&self, env: &str, input: &Field<'_>) -> Option<Request> {
        Some(request(self.storage, self.storage.envs.get(env)?, Input::read(self.storage, input)?))
    }
}

/// The job's input.
struct Input {
    content: Content,
    name: String,
    content_type: String,
}

enum Content {
    Given(Vec<u8>),
    At(HttpUrl),
}

impl Input {
    fn read(storage: &Storage, field: &Field<'_>) -> Option<Self> {
        let mut object = field.object()?;
        let content = match (object.optional("buffer"), object.optional("url")) {
            (Some(buffer), None) => content(storage, &buffer).map(Content::Given),
            (None, Some(url)) => HttpUrl::read(&url).map(Content::At),
            (Some(_), Some(url)) => {
                url.fault(FieldCode::Conflict, "buffer and url exclude each other");
                None
            }
            (None, None) => {
                object.fault_at("buffer", FieldCode::Required, "is required, unless there is a url");
                None
            }
        };
        let name = object.required("fileName").and_then(|field| name(&field));
        let content_type =
            object.optional("mimeType").map_or(Some(None), |field| super::input::media_type(&field).map(Some));
        object.finish();
        let name = name?;
        let guessed = || mime_guess::from_path(&name).first_or_octet_stream().to_string();
        let content_type = content_type?.unwrap_or_else(guessed);
        Some(Self { content: content?, name, content_type })
    }
}

fn content(storage: &Storage, field: &Field<'_>) -> Option<Vec<u8>> {
    let content = match BASE64.decode(field.string()?) {
        Ok(content) => content,
        // The error names the position, and quotes at most one byte.
        Err(error) => {
            field.fault(FieldCode::Malformed, format!("must be base64: {error}"));
            return None;
        }
    };
    let most = most_bytes(storage);
    if content.len() as u64 > most {
        field.fault(FieldCode::OutOfRange, format!("must have at most {most} bytes, has {}", content.len()));
        return None;
    }
    Some(content)
}

fn most_bytes(storage: &Storage) -> u64 {
    storage.max_bytes.map_or(MAX_BYTES, |most| most.0)
}

fn name(field: &Field<'_>) -> Option<String> {
    let form = "a name of 1 to 1024 bytes without control characters, empty parts or dot segments";
    field.parsed(form, |text| {
        let is_sound = |part: &str| !matches!(part, "" | "." | "..");
        let sound = text.len() <= 1_024 && !text.contains(char::is_control) && text.split('/').all(is_sound);
        sound.then(|| text.to_owned())
    })
}

fn request(storage: &Storage, place: &StorageEnv, input: Input) -> Request {
    let Input { content, name, content_type } = input;
    let (bucket, region) = (place.bucket.clone(), place.region.clone());
    let key = format!("{}{name}", place.prefix.as_deref().unwrap_or_default());
    let put = |content| AwsRequest::PutObject { bucket, region, key, content_type, content };
    match content {
        Content::Given(content) => Request::Aws(put(content)),
        Content::At(url) => Request::Transfer(Box::new(Transfer {
            from: HttpRequest {
                method: Method::GET,
                url: url.url().clone(),
                headers: Vec::new(),
                body: Vec::new(),
                auth: None,
                signing_secrets: SigningSecrets::default(),
            },
            most_bytes: usize::try_from(most_bytes(storage)).unwrap_or(usize::MAX),
            into: put(Vec::new()),
        })),
    }
}
