//! Bytes to try: entries of a corpus, changed a little or much. Which ones follows from the seed.

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// A part of `bytes`, perhaps none, mostly short.
    fn span(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.below(bytes.len() + 1);
        let left = bytes.len() - start;
        let most = if self.below(4) == 0 { left } else { left.min(16) };
        (start, start + self.below(most + 1))
    }
}

/// Bytes that mean something to somebody: limits, brackets, quotes, escapes, XML's markup, DER's tags and lengths.
const TOKENS: [&[u8]; 36] = [
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b":",
    b",",
    b"null",
    b"1e999",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"${aws:username}",
    b"*",
    b"\x30\x80",
    b"\0\0",
    b"\x02\x01\0",
    b"\x30\x84\xff\xff\xff\xff",
    b"-1",
    b"18446744073709551616",
    b"<",
    b"</",
    b"/>",
    b">",
    b"&amp;",
    b"&#x0;",
    b"&#10;",
    b"<!--",
    b"<![CDATA[",
    b"<Prefix></Prefix>",
    b"%2F",
    b"\n",
];

/// An entry of `corpus` after one change to `changes_max`.
pub(crate) fn mutated(corpus: &[Vec<u8>], dice: &mut Dice, changes_max: usize, max_bytes: usize) -> Vec<u8> {
    let mut out = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(changes_max) {
        let (start, end) = dice.span(&out);
        match dice.below(8) {
            0 if start < out.len() => out[start] ^= 1 << dice.below(8),
            1 if start < out.len() => out[start] = dice.byte(),
            2 => drop(out.drain(start..end)),
            3 => {
                let part = out[start..end].to_vec();
                let at = dice.below(out.len() + 1);
                out.splice(at..at, part);
            }
            4 => drop(out.splice(start..start, TOKENS[dice.below(TOKENS.len())].iter().copied())),
            5 => drop(out.splice(start..end, TOKENS[dice.below(TOKENS.len())].iter().copied())),
            6 => {
                let other = &corpus[dice.below(corpus.len())];
                let (from, to) = dice.span(other);
                out.splice(start..end, other[from..to].iter().copied());
            }
            7 if start < out.len() => out[start] = out[start].wrapping_add(1).wrapping_sub(2 * dice.below(2) as u8),
            _ => {}
        }
    }
    out.truncate(max_bytes);
    out
}
