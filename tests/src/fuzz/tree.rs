//! JSON documents that can be wrong: names that stand twice, numbers without end, texts that are no Unicode.

use serde_json::Value;

use super::words::{hostile_text, long, misspelt, name, text, word};
use crate::random::Random;

/// A value. Names and plain values are kept as they will be written, so that they can be anything.
#[derive(Clone, Debug)]
pub enum Node {
    /// A number, a text, `true`, `false`, `null`, or no JSON at all.
    Raw(Vec<u8>),
    /// An array.
    Array(Vec<Node>),
    /// An object.
    Object(Vec<(Vec<u8>, Node)>),
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Array(elements) => Self::Array(elements.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (text(name), Self::from(value))).collect())
            }
            plain => Self::Raw(plain.to_string().into_bytes()),
        }
    }
}

impl Node {
    /// Writes the document.
    pub fn write(&self, into: &mut Vec<u8>) {
        match self {
            Self::Raw(bytes) => into.extend(bytes),
            Self::Array(elements) => {
                into.push(b'[');
                for (index, element) in elements.iter().enumerate() {
                    into.extend((index > 0).then_some(b','));
                    element.write(into);
                }
                into.push(b']');
            }
            Self::Object(members) => {
                into.push(b'{');
                for (index, (name, value)) in members.iter().enumerate() {
                    into.extend((index > 0).then_some(b','));
                    into.extend(name);
                    into.push(b':');
                    value.write(into);
                }
                into.push(b'}');
            }
        }
    }

    fn children(&self) -> Vec<&Self> {
        match self {
            Self::Raw(_) => Vec::new(),
            Self::Array(elements) => elements.iter().collect(),
            Self::Object(members) => members.iter().map(|(_, value)| value).collect(),
        }
    }

    fn children_mut(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Raw(_) => Vec::new(),
            Self::Array(elements) => elements.iter_mut().collect(),
            Self::Object(members) => members.iter_mut().map(|(_, value)| value).collect(),
        }
    }

    /// Number of values, this one included.
    fn size(&self) -> usize {
        1 + self.children().into_iter().map(Self::size).sum::<usize>()
    }

    /// The value of this number, counted from the top.
    fn nth(&mut self, number: usize) -> &mut Self {
        let mut left = number;
        if left == 0 {
            return self;
        }
        left -= 1;
        for child in self.children_mut() {
            let size = child.size();
            if left < size {
                return child.nth(left);
            }
            left -= size;
        }
        unreachable!("there is no value {number}")
    }

    /// Changes something.
    pub fn mutate(&mut self, random: &mut Random) {
        let (size, kind) = (self.size(), random.below(40));
        // Somewhere else in the document, for what is moved there.
        let other = (kind < 4).then(|| self.nth(random.below(size)).clone());
        let node = self.nth(random.below(size));
        match (kind, other) {
            (_, Some(other)) => *node = other,
            (4..14, _) => *node = hostile(random),
            (14..17, _) => *node = Self::Raw(text(word(random))),
            (17, _) => *node = Self::Array(vec![std::mem::replace(node, Self::Array(Vec::new()))]),
            (18, _) => *node = Self::Object(vec![(name(random), std::mem::replace(node, Self::Array(Vec::new())))]),
            (19, _) if random.once_in(4) => node.bury(random),
            (20, _) if random.once_in(4) => *node = Self::Raw(long(random)),
            _ => node.change_members(random),
        }
    }

    /// Takes members out, puts them in, doubles or renames them.
    fn change_members(&mut self, random: &mut Random) {
        match self {
            Self::Raw(bytes) => *bytes = hostile_text(random),
            Self::Array(elements) => {
                let element = if elements.is_empty() { Self::Raw(b"{}".to_vec()) } else { random.pick(elements) };
                match random.below(3) {
                    0 => elements.clear(),
                    1 => elements.extend(vec![element; random.between(1, 60)]),
                    _ => elements.push(hostile(random)),
                }
            }
            Self::Object(members) => {
                let at = random.below(members.len());
                match (random.below(5), members.get(at).cloned()) {
                    (0, Some(_)) => drop(members.remove(at)),
                    (1, Some(member)) => members.insert(random.below(members.len()), member),
                    (2, Some(_)) => members[at].0 = name(random),
                    (3, Some((name, _))) => members[at].0 = misspelt(name, random),
                    _ => members.push((name(random), hostile(random))),
                }
            }
        }
    }

    /// Puts the value at the bottom of a deep hole.
    fn bury(&mut self, random: &mut Random) {
        let depth = random.pick(&[30, 58, 63, 64, 65, 200, 5_000]);
        let mut bottom = Vec::new();
        self.write(&mut bottom);
        let (open, close) = if random.once_in(2) { ("[", "]") } else { (r#"{"a":"#, "}") };
        *self = Self::Raw([open.repeat(depth).as_bytes(), &bottom, close.repeat(depth).as_bytes()].concat());
    }
}

/// A value that does not belong here.
fn hostile(random: &mut Random) -> Node {
    Node::Raw(hostile_text(random))
}
