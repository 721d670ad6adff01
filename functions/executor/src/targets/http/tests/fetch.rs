//! Files that are fetched for a storage.

use carillon_core::ports::AwsServices;
use carillon_core::request::{AwsRequest, Transfer};

use super::*;

/// AWS that keeps what is put there.
#[derive(Clone, Default)]
struct Bucket(Arc<Mutex<Vec<Vec<u8>>>>);

impl AwsServices for Bucket {
    async fn perform(&self, _: &DispatchId, request: AwsRequest) -> Result<Output, RunError> {
        let AwsRequest::PutObject { content, .. } = request else { unreachable!("a file is put") };
        self.0.lock().unwrap().push(content);
        Ok(Output::default())
    }
}

/// Fetches a file of at most `most_bytes`, and returns the stored object.
async fn fetched(server: &Server, most_bytes: usize) -> (Result<Output, RunError>, Vec<Vec<u8>>) {
    let allow = AllowList::parse(&[server.base.authority().to_owned()]).unwrap();
    let bucket = Bucket::default();
    let targets = Providers::new(Outbound::new(allow), EnvSecrets::default(), Fixed, bucket.clone());
    let from = HttpRequest { method: Method::GET, body: Vec::new(), ..http(&mut server.call()).clone() };
    let (key, content_type) = ("k".to_owned(), "text/plain".to_owned());
    let into = AwsRequest::PutObject { bucket: "b".to_owned(), region: None, key, content_type, content: Vec::new() };
    let request = Request::Transfer(Box::new(Transfer { from, most_bytes, into }));
    let ended = targets.dispatch(DispatchRequest { request, ..server.call() }).await;
    let put = bucket.0.lock().unwrap().clone();
    (ended, put)
}

#[tokio::test]
async fn a_file_is_put_whole_or_not_at_all() {
    let large = vec![0xff; 300_000];
    for (content, most, is_put) in [
        (b"".to_vec(), 4, true),
        (b"1234".to_vec(), 4, true),
        (b"12345".to_vec(), 4, false),
        (b"1".to_vec(), 0, false),
        // More than a result may have: an error.
        (large.clone(), large.len(), true),
        (large.clone(), large.len() - 1, false),
    ] {
        let server = Server::answering(200, &[("content-type", "application/json")], content.clone()).await;
        let (ended, put) = fetched(&server, most).await;
        let size = content.len();
        if is_put {
            assert_eq!((ended.is_ok(), put), (true, vec![content]), "{size} of {most}");
            continue;
        }
        let error = ended.unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.retryable, put.len()),
            (codes::VALIDATION_ERROR, false, 0),
            "{size} of {most}"
        );
        assert_eq!(error.message, format!("what is to be fetched has more than {most} bytes"));
    }
}

#[tokio::test]
async fn what_is_no_file_is_the_targets_refusal_however_large_it_is() {
    for (status, code, retryable) in [
        (301, codes::REDIRECTED, false),
        (403, codes::FORBIDDEN, false),
        (404, codes::NOT_FOUND, false),
        (429, codes::RATE_LIMITED, true),
        (503, codes::SERVICE_UNAVAILABLE, true),
    ] {
        let server = Server::answering(status, &[], "a page that says so").await;
        let (ended, put) = fetched(&server, 4).await;
        let error = ended.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable, put.len()), (code, retryable, 0), "{status}");
    }
}
