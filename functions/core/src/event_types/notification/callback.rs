//! A callback: a POST of JSON to the channel's address. Headers of the input win over the channel's.

use super::fill::Values;
use super::{Channel, Composition, Provider};
use crate::catalog::{CallbackChannel, Headers};
use crate::event_types::input;
use crate::json::{Field, Read as _};
use crate::request::{HttpRequest, Request, default_header};

pub(super) fn read(place: &CallbackChannel, composition: &Composition<'_>, field: &Field<'_>) -> Option<Vec<Channel>> {
    let mut object = field.object()?;
    let given = object.optional("body").map(|field| field.value());
    let query = object.optional("query").map_or(Some(Vec::new()), |field| input::pairs(&field));
    let headers = object.optional("headers").map_or(Some(Headers::default()), |field| Headers::read(&field));
    let message = composition.message.and_then(|message| message.callback.as_ref());
    let body = Values::read(field, &mut object, None).and_then(|values| match (given, message) {
        (Some(body), _) => Some(body.clone()),
        (None, Some(template)) => values.document(template),
        (None, None) => values.missing("body"),
    });
    object.finish();
    let (query, mut headers, body) = (query?, headers?.0, body?);
    for (name, value) in &place.headers.0 {
        default_header(&mut headers, name.clone(), value.clone());
    }
    let mut url = place.url.url().clone();
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(&query);
    }
    let request = HttpRequest {
        auth: place.auth.clone(),
        signing_secrets: place.signing_secrets.clone(),
        ..HttpRequest::post_json(&url, &headers, &body)
    };
    Some(vec![Channel { name: "callback", part: None, provider: Provider::Http, request: Request::http_of(request) }])
}
