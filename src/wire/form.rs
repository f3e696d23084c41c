//! Form-encoded parameters (`application/x-www-form-urlencoded`): the body of AWS's Query protocol, or a query of it.

use crate::crypto::SecretBytes;

/// A name and its value, decoded. Values may be secrets (passwords, tokens), so they are wiped after use.
pub type FormPair = (String, SecretBytes);

/// The text is no form: an escape that is none, or a name or a value that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedForm;

/// Decodes `name=value&name=value`, in the order sent: `+` is a space, `%xx` a byte. A piece without `=` is a name with
/// an empty value. At most `max` pairs.
pub fn parse_form(form: &[u8], max: usize) -> Result<Vec<FormPair>, MalformedForm> {
    let mut pairs = Vec::new();
    for piece in form.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        if pairs.len() == max {
            return Err(MalformedForm);
        }
        let mut parts = piece.splitn(2, |byte| *byte == b'=');
        let name = decode(parts.next().unwrap_or_default())?;
        let value = decode(parts.next().unwrap_or_default())?;
        let name = std::str::from_utf8(name.expose()).map_err(|_| MalformedForm)?.to_owned();
        std::str::from_utf8(value.expose()).map_err(|_| MalformedForm)?;
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decode(text: &[u8]) -> Result<SecretBytes, MalformedForm> {
    // Never longer than it was: what is decoded does not move.
    let mut bytes = SecretBytes::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let (byte, left) = match (first, after) {
            (b'%', [high, low, left @ ..]) => (digit(*high)? << 4 | digit(*low)?, left),
            (b'%', _) => return Err(MalformedForm),
            (b'+', left) => (b' ', left),
            (byte, left) => (*byte, left),
        };
        bytes.extend(&[byte]);
        rest = left;
    }
    Ok(bytes)
}

fn digit(character: u8) -> Result<u8, MalformedForm> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(MalformedForm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(form: &[u8]) -> Result<Vec<(String, String)>, MalformedForm> {
        let shown = |(name, value): FormPair| (name, String::from_utf8(value.expose().to_vec()).unwrap());
        Ok(parse_form(form, 3)?.into_iter().map(shown).collect())
    }

    #[test]
    fn pairs_are_decoded_once() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (form, pairs) in [
            ("", vec![]),
            ("&&", vec![]),
            ("Action=A&Tags=", vec![pair("Action", "A"), pair("Tags", "")]),
            ("a", vec![pair("a", "")]),
            ("a=b=c&%61%2B=1+2%2b%253%C3%A9", vec![pair("a", "b=c"), pair("a+", "1 2+%3é")]),
        ] {
            assert_eq!(parsed(form.as_bytes()), Ok(pairs), "{form}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for form in ["a=%", "a=%f", "a=%zz", "a=%c3", "%ff=1", "a=%ed%a0%80", "1&2&3&4"] {
            assert_eq!(parsed(form.as_bytes()), Err(MalformedForm), "{form}");
        }
        assert_eq!(parsed(b"a=\xff"), Err(MalformedForm));
        assert!(parsed(b"1&2&3").is_ok());
    }
}
