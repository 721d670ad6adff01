//! Text messages: a request for each number.

use http::{HeaderValue, Method, header};
use url::form_urlencoded::Serializer;

use super::fill::Values;
use super::{Channel, Composition, MAX_PARTS, Provider, receivers};
use crate::catalog::{Auth, BaseUrl, BasicAuth, SigningSecrets, SmsChannel, SmsProvider};
use crate::error::FieldCode;
use crate::event_types::Needs;
use crate::json::Field;
use crate::request::{AwsRequest, HttpRequest, Request, under};

/// SNS and Twilio both take so much, and send it in several parts.
const MAX: usize = 1_600;
const NUMBER: &str = "a telephone number in E.164, such as +31612345678";

pub(super) fn needs(place: &SmsChannel) -> Needs<'_> {
    match place.provider {
        SmsProvider::Sns => Needs::aws("Amazon SNS"),
        SmsProvider::Twilio => Needs { secrets: place.auth_token.iter().collect(), aws: None },
    }
}

pub(super) fn read(place: &SmsChannel, composition: &Composition<'_>, field: &Field<'_>) -> Option<Vec<Channel>> {
    let mut object = field.object()?;
    let numbers = object.required("to").and_then(|field| receivers(&field, MAX_PARTS, NUMBER, number));
    let given = object.optional("body");
    let message = composition.message.and_then(|message| message.sms.as_ref());
    let values = Values::read(field, &mut object, None);
    let body = values.and_then(|values| values.text("body", given.as_ref(), message, composition.locale, false));
    let body = body.filter(|body| {
        let is_sound = (1..=MAX).contains(&body.chars().count());
        if !is_sound {
            let at = if given.is_some() { "body" } else { "data" };
            object.fault_at(at, FieldCode::OutOfRange, format!("the text must have 1 to {MAX} characters"));
        }
        is_sound
    });
    object.finish();
    let (numbers, body) = (numbers?, body?);
    let requests = numbers.iter().enumerate().map(|(index, number)| {
        let request = match place.provider {
            SmsProvider::Sns => Request::Aws(AwsRequest::SendSms {
                phone_number: number.clone(),
                text: body.clone(),
                sender: place.from.clone(),
            }),
            SmsProvider::Twilio => Request::http_of(twilio(place, number, &body)?),
        };
        let part = (numbers.len() > 1).then_some(index);
        Some(Channel { name: "sms", part, provider: Provider::Sms(place.provider), request })
    });
    requests.collect()
}

fn number(text: &str) -> Option<String> {
    let digits = text.strip_prefix('+')?;
    let sound = (2..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| text.to_owned())
}

/// `POST /2010-04-01/Accounts/{sid}/Messages.json` as a form.
fn twilio(place: &SmsChannel, number: &str, body: &str) -> Option<HttpRequest> {
    let (account, password) = (place.account_sid.as_ref()?, place.auth_token.clone()?);
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", account.0);
    let form = [("To", number), ("From", place.from.as_deref()?), ("Body", body)];
    Some(HttpRequest {
        method: Method::POST,
        url: under(place.url.as_ref().map(BaseUrl::url), "https://api.twilio.com", &path)?,
        headers: vec![
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ],
        body: Serializer::new(String::new()).extend_pairs(form).finish().into_bytes(),
        auth: Some(Auth::Basic(BasicAuth { username: account.0.clone(), password })),
        signing_secrets: SigningSecrets::default(),
    })
}
