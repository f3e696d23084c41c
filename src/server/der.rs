//! The end of a certificate's validity: the only field of X.509 that the edge itself needs, read from DER. Pure.

use crate::sources::Timestamp;
use crate::wire::parse_amz_date;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, constructed: the version, absent in version 1.
const VERSION: u8 = 0xa0;

/// `notAfter` of a certificate (RFC 5280, section 4.1.2.5); `None` if the bytes are no certificate.
pub fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut fields, _) = expect(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (validity, _) = expect(fields, SEQUENCE)?;
    let (_, _, validity) = element(validity)?;
    let (tag, time, _) = element(validity)?;
    let time = std::str::from_utf8(time).ok()?;
    let (date, clock) = match tag {
        UTC_TIME if time.len() == 13 => {
            let century = if time < "50" { "20" } else { "19" };
            (format!("{century}{}", time.get(..6)?), time.get(6..)?)
        }
        GENERALIZED_TIME if time.len() == 15 => (time.get(..8)?.to_owned(), time.get(8..)?),
        _ => return None,
    };
    parse_amz_date(&format!("{date}T{clock}"))
}

/// Content and rest of an element that must have `tag`.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Tag, content and rest of the first element.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, mut bytes) = bytes.split_first()?;
    let mut content_len = usize::from(first);
    if first >= 0x80 {
        let count = usize::from(first & 0x7f);
        if !(1..=4).contains(&count) {
            return None;
        }
        let (digits, rest) = bytes.split_at_checked(count)?;
        content_len = digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit));
        bytes = rest;
    }
    let (content, rest) = bytes.split_at_checked(content_len)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["a.example.com".to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(year, 11, 25);
        let key = rcgen::KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("signed").der().to_vec()
    }

    #[test]
    fn both_forms_of_time() {
        assert_eq!(not_after(&certificate(2026)), parse_amz_date("20261125T000000Z"));
        assert_eq!(not_after(&certificate(2049)), parse_amz_date("20491125T000000Z"));
        assert_eq!(not_after(&certificate(2055)), parse_amz_date("20551125T000000Z"));
    }

    #[test]
    fn bytes_cut_anywhere_or_changed_are_no_panic() {
        let certificate = certificate(2026);
        for end in 0..certificate.len() {
            assert_eq!(not_after(&certificate[..end]), None, "{end}");
        }
        for at in 0..certificate.len() {
            let mut changed = certificate.clone();
            changed[at] ^= 0xff;
            let _any_answer = not_after(&changed);
        }
    }
}
