//! Mutations of bytes, regardless of their meaning.

use crate::random::Random;

/// Pieces that belong nowhere.
const PIECES: [&[u8]; 16] = [
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\0",
    b"//",
    b"/*",
    b"\\u",
    b"\"",
    b"{",
    b"]",
    b",",
    b":",
    b"\r\n",
    b"\xe2\x80\xa8",
    b"e",
];

/// Spoils a text: flips, cuts, doubles, inserts.
pub fn spoil(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(6) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(..at)),
        2 => {
            let end = bytes.len().min(at + random.between(1, 40));
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        3 => drop(bytes.splice(at..at, random.pick(&PIECES).iter().copied())),
        4 => bytes.extend_from_slice(random.pick(&PIECES)),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}
