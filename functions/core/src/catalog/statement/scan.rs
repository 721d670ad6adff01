//! Tells the code of a statement from its quoted text.

use super::Natives;
use super::placeholder;

/// A part of a statement.
pub(super) enum Span<'a> {
    /// Text that stays as it is.
    Text(&'a str),
    /// The text between the braces of a placeholder.
    Placeholder(&'a str),
}

/// Goes through a statement span by span.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    pub(super) natives: Natives,
    verb: Verb,
}

/// The first word of a statement, as far as it is read.
enum Verb {
    Reading(String),
    Read(String),
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, natives: Natives::default(), verb: Verb::Reading(String::new()) }
    }

    /// The word that says what the statement does, in upper case.
    pub(super) fn into_verb(self) -> String {
        match self.verb {
            Verb::Reading(word) | Verb::Read(word) => word,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn before(&self) -> Option<char> {
        self.text.get(..self.at)?.chars().next_back()
    }

    /// The next span; `None` at the end.
    pub(super) fn next_span(&mut self) -> Result<Option<Span<'a>>, String> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        if rest.starts_with("{{") {
            return self.placeholder().map(Some);
        }
        let quoted = match first {
            '\'' if self.begins_escapes() => Some(escaped(rest)),
            '\'' | '"' => Some(doubled(rest, first)),
            '-' if rest.starts_with("--") => Some(Some(rest.find('\n').unwrap_or(rest.len()))),
            '/' if rest.starts_with("/*") => Some(comment(rest)),
            '$' if !self.before().is_some_and(is_word) => dollar_quote(rest)?.map(|quote| between(rest, &quote)),
            _ => None,
        };
        let length = match quoted {
            Some(None) => return Err("a quote or a comment does not end".to_owned()),
            Some(Some(length)) => {
                if rest.get(..length).is_some_and(placeholder::stands_in) {
                    return Err("a placeholder cannot stand inside of quotes: it is bound, not spliced".to_owned());
                }
                length
            }
            None => {
                self.note_natives(first, rest);
                self.note_verb(first);
                first.len_utf8()
            }
        };
        self.at += length;
        Ok(rest.get(..length).map(Span::Text))
    }

    fn placeholder(&mut self) -> Result<Span<'a>, String> {
        let rest = self.rest();
        let end = rest.find("}}").ok_or("a placeholder does not end with }}")?;
        let next = rest.get(end + 2..).unwrap_or_default();
        // Spelled as the database wants it, it would be part of what it touches: {{n}}0 would become $10.
        if self.before().is_some_and(|it| is_word(it) || it == '}') || next.starts_with(is_word) {
            return Err(
                "a placeholder stands for a whole value: it cannot touch a word, a number or another one".to_owned()
            );
        }
        self.at += end + 2;
        Ok(Span::Placeholder(rest.get(2..end).unwrap_or_default()))
    }

    /// True if this quote begins a text with backslash escapes, `E'…'`.
    fn begins_escapes(&self) -> bool {
        let mut before = self.text.get(..self.at).unwrap_or_default().chars().rev();
        matches!(before.next(), Some('e' | 'E')) && !before.next().is_some_and(is_word)
    }

    fn note_natives(&mut self, first: char, rest: &str) {
        let is_named = |rest: &str| rest.starts_with(|it: char| it.is_alphabetic() || it == '_');
        match first {
            '?' => self.natives.question_mark = true,
            ':' if self.before() != Some(':') && rest.get(1..).is_some_and(is_named) => self.natives.colon = true,
            _ => {}
        }
    }

    fn note_verb(&mut self, next: char) {
        if let Verb::Reading(word) = &mut self.verb {
            if next.is_ascii_alphabetic() {
                word.push(next.to_ascii_uppercase());
            } else if !word.is_empty() {
                self.verb = Verb::Read(std::mem::take(word));
            }
        }
    }
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '_' | '$')
}

/// The length of a quoted text that begins with this quote; two quotes inside stand for one.
fn doubled(rest: &str, quote: char) -> Option<usize> {
    let mut quotes = rest.match_indices(quote).skip(1).map(|(at, _)| at);
    loop {
        let at = quotes.next()?;
        if !rest.get(at + 1..)?.starts_with(quote) {
            return Some(at + 1);
        }
        quotes.next();
    }
}

/// The length of a text in which a backslash takes the meaning of what follows it.
fn escaped(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => drop(characters.next()),
            '\'' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The length of a comment, which may hold others.
fn comment(rest: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let here = rest.get(at..)?;
        if here.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with("*/") {
            (depth, at) = (depth.checked_sub(1)?, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += here.chars().next()?.len_utf8();
        }
    }
}

/// The dollar quote that begins here, if one does.
fn dollar_quote(rest: &str) -> Result<Option<String>, String> {
    let after = rest.get(1..).unwrap_or_default();
    if after.starts_with(|it: char| it.is_ascii_digit()) {
        return Err("parameters are written as {{name:TYPE}}, not as $1".to_owned());
    }
    let tag = after.split_once('$').map(|(tag, _)| tag).filter(|tag| tag.chars().all(is_word));
    Ok(tag.map(|tag| format!("${tag}$")))
}

/// The length of a text between two of this quote.
fn between(rest: &str, quote: &str) -> Option<usize> {
    rest.get(quote.len()..)?.find(quote).map(|at| at + 2 * quote.len())
}
