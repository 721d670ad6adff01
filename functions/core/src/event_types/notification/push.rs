//! Push messages. Expo takes all tokens in one request, FCM one in each.
//!
//! A token in Expo's form has to be whole; others are for the provider to judge, whose form they have.

use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use super::fill::Values;
use super::{Channel, Composition, MAX_PARTS, Provider, receivers};
use crate::catalog::{Auth, BaseUrl, PushChannel, PushProvider};
use crate::error::{FieldCode, FieldError};
use crate::event_types::needs::Needs;
use crate::json::{Field, child, room_left};
use crate::request::{FcmRequest, HttpRequest, Request, default_header, under};

/// Maximum number of receivers in a request to Expo.
const MAX_TOKENS: usize = 100;
/// Both providers, and the platforms behind them, take so much.
const MAX_BYTES: usize = 4_096;
const TOKEN: &str = "a device's token: visible ASCII, such as ExponentPushToken[…]";

pub(super) fn needs(place: &PushChannel) -> Needs<'_> {
    let secret = match place.provider {
        PushProvider::Expo => place.access_token.as_ref(),
        PushProvider::Fcm => place.service_account.as_ref(),
    };
    Needs { secrets: secret.into_iter().collect(), aws: None }
}

pub(super) fn read(place: &PushChannel, composition: &Composition<'_>, field: &Field<'_>) -> Option<Vec<Channel>> {
    let mut object = field.object()?;
    let message = composition.message.and_then(|message| message.push.as_ref());
    let most = if place.provider == PushProvider::Expo { MAX_TOKENS } else { MAX_PARTS };
    let tokens = object.required("device_token").and_then(|field| receivers(&field, most, TOKEN, token));
    let (title, body) = (object.optional("title"), object.optional("body"));
    let values = Values::read(field, &mut object, message.and_then(|message| message.data.as_ref()));
    let texts = values.as_ref().map(|values| {
        let title =
            values.text("title", title.as_ref(), message.map(|message| &message.title), composition.locale, false);
        let body = values.text("body", body.as_ref(), message.map(|message| &message.body), composition.locale, false);
        (title, body)
    });
    object.finish();
    let (data, (title, body)) = (values?.all(), texts?);
    let (tokens, title, body) = (tokens?, title?, body?);
    let mut said = json!({"title": title, "body": body});
    if !data.is_empty() {
        said["data"] = Value::Object(data.clone());
    }
    if room_left(&said, MAX_BYTES).is_none() {
        field.fault(FieldCode::OutOfRange, format!("title, body and data must have at most {MAX_BYTES} bytes"));
        return None;
    }
    match place.provider {
        PushProvider::Expo => expo(place, &tokens, said).map(|request| vec![channel(place, None, request)]),
        PushProvider::Fcm => {
            let data = texts_of(field, data)?;
            let service_account = place.service_account.as_ref()?;
            let requests = tokens.iter().enumerate().map(|(index, token)| {
                let notification = json!({"title": title, "body": body});
                let mut message = json!({"token": token, "notification": notification});
                if !data.is_empty() {
                    message["data"] = Value::Object(data.clone());
                }
                let url = place.url.as_ref().map(|url| url.url().clone());
                let request = FcmRequest { service_account: service_account.clone(), url, message };
                channel(place, (tokens.len() > 1).then_some(index), Request::Fcm(Box::new(request)))
            });
            Some(requests.collect())
        }
    }
}

fn channel(place: &PushChannel, part: Option<usize>, request: Request) -> Channel {
    Channel { name: "push", part, provider: Provider::Push(place.provider), request }
}

fn token(text: &str) -> Option<String> {
    let is_whole = |text: &str| text.ends_with(']') && text.len() > "[]".len();
    let expo = text.strip_prefix("ExponentPushToken").or_else(|| text.strip_prefix("ExpoPushToken"));
    let sound = (1..=4_096).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    (sound && expo.is_none_or(|rest| rest.starts_with('[') && is_whole(rest))).then(|| text.to_owned())
}

/// `POST /--/api/v2/push/send` with one message for all tokens.
fn expo(place: &PushChannel, tokens: &[String], mut said: Value) -> Option<Request> {
    said["to"] = json!(tokens);
    let url = under(place.url.as_ref().map(BaseUrl::url), "https://exp.host", "/--/api/v2/push/send")?;
    let mut request = HttpRequest::post_json(&url, &[], &said);
    default_header(&mut request.headers, header::ACCEPT, HeaderValue::from_static("application/json"));
    Some(Request::http_of(HttpRequest { auth: place.access_token.clone().map(Auth::Bearer), ..request }))
}

/// The request to some of its tokens only, by their positions.
pub(super) fn only(mut request: Request, wanted: &[usize]) -> Request {
    if let Request::Http(http) = &mut request
        && let Ok(mut said) = serde_json::from_slice::<Value>(&http.body)
    {
        let tokens: Vec<Value> = wanted.iter().filter_map(|at| said["to"].get(*at).cloned()).collect();
        said["to"] = Value::Array(tokens);
        http.body = said.to_string().into_bytes();
    }
    request
}

/// FCM's data are texts: others are written as JSON. Some names are its own.
fn texts_of(field: &Field<'_>, data: Map<String, Value>) -> Option<Map<String, Value>> {
    let is_free = |name: &String| {
        let is_kept = matches!(name.as_str(), "from" | "message_type")
            || ["google", "gcm"].iter().any(|own| name.starts_with(own));
        if is_kept {
            let pointer = child("/data", name);
            let detail = "FCM keeps this name for itself".to_owned();
            field.fault_inside(FieldError { pointer, code: FieldCode::Malformed, detail });
        }
        !is_kept
    };
    let free: Vec<bool> = data.keys().map(is_free).collect();
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let texts = data.into_iter().map(|(name, value)| (name, Value::String(text(value))));
    free.iter().all(|free| *free).then(|| texts.collect())
}
