//! Enumerations whose values are words of the API, of stored documents and of catalogs.

/// An enumeration of words.
pub trait Words: Copy + 'static {
    /// Every value with its word, in the order of the documentation.
    const ALL: &'static [(&'static str, Self)];
}

/// Defines enumerations of words: one definition gives the type, its words, its JSON Schema, and how it is read and written.
macro_rules! words {
    ($($(#[$meta:meta])* enum $name:ident { $($(#[$word_meta:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name { $($(#[$word_meta])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every value with its word.
            pub const WORDS: [(&'static str, Self); [$($word),*].len()] = [$(($word, Self::$variant)),*];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl $crate::words::Words for $name {
            const ALL: &'static [(&'static str, Self)] = &Self::WORDS;
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }
    )*};
}

pub(crate) use words;
