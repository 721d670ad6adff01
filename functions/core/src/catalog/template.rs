//! Texts with places for values: `{{name}}`, or `{{user.name}}` for a member of a member. There is no logic in them.

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text as it is.
    Text(&'t str),
    /// The name of a value: letters, digits, `_` and `-`, with dots between members.
    Value(&'t str),
}

/// Takes a template apart.
///
/// # Errors
/// The fault, in words.
///
/// ```
/// use carillon_core::catalog::{Piece, pieces};
/// assert_eq!(pieces("Hi {{ user.name }}!").unwrap(), [Piece::Text("Hi "), Piece::Value("user.name"), Piece::Text("!")]);
/// assert!(pieces("Hi {{").is_err() && pieces("{{#each list}}").is_err());
/// ```
pub fn pieces(template: &str) -> Result<Vec<Piece<'_>>, &'static str> {
    let (mut pieces, mut rest) = (Vec::new(), template);
    while let Some((text, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("has a {{ without its }}")?;
        let name = name.trim();
        if !name.split('.').all(is_name) {
            return Err("has a {{…}} that is no name, such as {{name}} or {{user.name}}");
        }
        pieces.extend((!text.is_empty()).then_some(Piece::Text(text)));
        pieces.push(Piece::Value(name));
        rest = after;
    }
    pieces.extend((!rest.is_empty()).then_some(Piece::Text(rest)));
    Ok(pieces)
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
