//! E-mail addresses with their display names.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;

use crate::json::{Field, Read};

/// An e-mail address, alone or as `Name <address>`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Mailbox {
    /// Whose it is, for people.
    pub name: Option<String>,
    /// The address.
    pub address: String,
}

impl Mailbox {
    /// The forms, in words.
    pub const FORMS: &'static str = "an e-mail address, such as noreply@example.com, or Name <noreply@example.com>";

    /// The mailbox, if the text is one. No line can end within it.
    ///
    /// ```
    /// use carillon_core::catalog::Mailbox;
    /// assert_eq!(Mailbox::parse("Café Ö <shop@example.com>").unwrap().name.as_deref(), Some("Café Ö"));
    /// assert!(Mailbox::parse("shop@example.com\r\nBcc: all@example.com").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
            Some((name, address)) => (Some(name.trim()).filter(|name| !name.is_empty()), address),
            None => (None, text),
        };
        let is_plain = |name: &str| {
            name.chars().count() <= 100 && !name.chars().any(|c| c.is_control() || matches!(c, '<' | '>' | '"' | '\\'))
        };
        let sound = is_email_address(address) && name.is_none_or(is_plain);
        sound.then(|| Self { name: name.map(str::to_owned), address: address.to_owned() })
    }

    /// The header form: a name that is not ASCII becomes encoded words (RFC 2047).
    pub fn header(&self) -> String {
        let Some(name) = &self.name else { return self.address.clone() };
        let name = if name.is_ascii() { format!("\"{name}\"") } else { encoded_words(name) };
        format!("{name} <{}>", self.address)
    }
}

impl std::fmt::Display for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}

impl Read for Mailbox {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.parsed(Self::FORMS, Self::parse)
    }
}

/// True if every mail server accepts the address: ASCII, with one `@`, unquoted (RFC 5321, section 4.1.2), and a
/// domain by name. An international domain is written in its `xn--` form.
pub fn is_email_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_atom = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    text.len() <= 254 && local.len() <= 64 && local.split('.').all(is_atom) && is_domain(domain)
}

/// True if a text is a host name in ASCII.
pub(super) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A text in encoded words of at most 75 characters each.
fn encoded_words(text: &str) -> String {
    const MAX_BYTES: usize = 45;
    let mut words = Vec::<String>::new();
    for character in text.chars() {
        match words.last_mut().filter(|word| word.len() + character.len_utf8() <= MAX_BYTES) {
            Some(word) => word.push(character),
            None => words.push(character.to_string()),
        }
    }
    words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_server_takes_is_an_address() {
        for address in ["a@b.example", "first.last+tag@mail.example.com", "root@localhost", "a@xn--bcher-kva.example"] {
            assert!(is_email_address(address), "{address}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let very_long = format!("a@{}.example", "b.".repeat(130));
        for text in [
            "",
            "a",
            "@b.example",
            "a@",
            "a@@b.example",
            "a@b@c.example",
            "a b@c.example",
            "a@b..example",
            ".a@b.example",
            "a@b.example\r\nBcc: x@y.example",
            "a@b.example\n",
            "\"a\"@b.example",
            "a@[127.0.0.1]",
            "é@b.example",
            "a@bücher.example",
            "a@-b.example",
            "a,b@c.example",
            "<a@b.example>",
            "a@b.example\0",
            &long,
            &very_long,
        ] {
            assert!(!is_email_address(text), "{text:?}");
        }
    }

    #[test]
    fn a_name_stays_within_its_header() {
        let header = |text: &str| Mailbox::parse(text).map(|mailbox| mailbox.header());
        assert_eq!(header("a@b.example").as_deref(), Some("a@b.example"));
        assert_eq!(header("The, Shop <a@b.example>").as_deref(), Some("\"The, Shop\" <a@b.example>"));
        assert_eq!(header("Café <a@b.example>").as_deref(), Some("=?UTF-8?B?Q2Fmw6k=?= <a@b.example>"));
        assert_eq!(header(" <a@b.example>").as_deref(), Some("a@b.example"));
        let long = header(&format!("{} <a@b.example>", "é".repeat(100))).unwrap();
        assert!(long.split(' ').all(|word| word.len() <= 75) && long.matches("=?UTF-8?B?").count() == 5, "{long}");
        let too_long = format!("{} <a@b.example>", "x".repeat(101));
        for text in
            ["A\r\nBcc: x <a@b.example>", "\"A\" <a@b.example>", "A <a@b.example> <c@d.example>", "A <>", &too_long]
        {
            assert_eq!(header(text), None, "{text:?}");
        }
    }
}
