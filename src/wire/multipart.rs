//! `multipart/form-data` (RFC 7578) as it comes: pure, given pieces of any length, and never holding more of a part's
//! content than it was given at once.

use bytes::{Bytes, BytesMut};

/// The longest boundary (RFC 2046, section 5.1.1), in bytes.
const BOUNDARY_MAX_BYTES: usize = 70;
/// The head of one part, in bytes.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// The body is no `multipart/form-data`, or the head of a part is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedMultipart;

/// What a part says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    /// The field's name.
    pub name: String,
    /// The name of the file, if it is one.
    pub filename: Option<String>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MultipartEvent {
    /// A part begins.
    Part(PartHead),
    /// Some of its content, never empty.
    Data(Bytes),
    /// It has ended.
    PartEnd,
    /// The last part has ended.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// After a boundary.
    Boundary,
    /// In the head of a part.
    Head,
    /// In a part's content.
    Content,
    /// After the last boundary.
    Epilogue,
}

/// A body on its way.
#[derive(Debug)]
pub struct Multipart {
    /// `\r\n--BOUNDARY`
    delimiter: Vec<u8>,
    buffer: BytesMut,
    state: State,
}

impl Multipart {
    /// For a body with the boundary that this `Content-Type` names; `None` if it is no `multipart/form-data` with one.
    pub fn of(content_type: &str) -> Option<Self> {
        let (media_type, parameters) = content_type.split_once(';')?;
        if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameter(parameters, "boundary")?;
        let legal = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if boundary.is_empty() || boundary.len() > BOUNDARY_MAX_BYTES || !boundary.bytes().all(legal) {
            return None;
        }
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        // The first boundary may begin the body, without the line end before it.
        Some(Self { delimiter, buffer: BytesMut::from("\r\n"), state: State::Preamble })
    }

    /// Bytes that close a body after the content of its last part, at least.
    pub fn closing_bytes(&self) -> u64 {
        self.delimiter.len() as u64 + 2
    }

    /// Takes more of the body.
    pub fn push(&mut self, more: &[u8]) {
        self.buffer.extend_from_slice(more);
    }

    /// Bytes that were taken and told nothing yet.
    pub fn waiting_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The next event; `None` when it takes more of the body to tell.
    pub fn next_event(&mut self) -> Result<Option<MultipartEvent>, MalformedMultipart> {
        loop {
            match self.state {
                State::Preamble => match find(&self.buffer, &self.delimiter) {
                    Some(at) => self.cross(at),
                    None => {
                        self.keep_tail();
                        return Ok(None);
                    }
                },
                State::Boundary => match self.after_boundary()? {
                    Some(State::Epilogue) => {
                        self.state = State::Epilogue;
                        return Ok(Some(MultipartEvent::End));
                    }
                    Some(state) => self.state = state,
                    None => return Ok(None),
                },
                State::Head => return self.head(),
                State::Content => return Ok(self.content()),
                State::Epilogue => {
                    self.buffer.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// Goes behind the delimiter at `at`.
    fn cross(&mut self, at: usize) {
        let _before = self.buffer.split_to(at + self.delimiter.len());
        self.state = State::Boundary;
    }

    /// Drops what can be no beginning of a delimiter.
    fn keep_tail(&mut self) {
        let kept = self.buffer.len().min(self.delimiter.len() - 1);
        let _dropped = self.buffer.split_to(self.buffer.len() - kept);
    }

    /// `--` after the last one; else blanks and a line end.
    fn after_boundary(&mut self) -> Result<Option<State>, MalformedMultipart> {
        if self.buffer.starts_with(b"--") {
            let _dashes = self.buffer.split_to(2);
            return Ok(Some(State::Epilogue));
        }
        let blanks = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match &self.buffer[blanks..] {
            [b'\r', b'\n', ..] => {
                // The line end stays: a head without any line is an empty line.
                let _line = self.buffer.split_to(blanks);
                Ok(Some(State::Head))
            }
            [] | [b'\r'] if blanks <= HEAD_MAX_BYTES => Ok(None),
            [b'-'] if blanks == 0 => Ok(None),
            _ => Err(MalformedMultipart),
        }
    }

    fn head(&mut self) -> Result<Option<MultipartEvent>, MalformedMultipart> {
        // With the line end of the boundary before it.
        let Some(end) = find(&self.buffer, b"\r\n\r\n") else {
            return if self.buffer.len() > HEAD_MAX_BYTES { Err(MalformedMultipart) } else { Ok(None) };
        };
        if end > HEAD_MAX_BYTES {
            return Err(MalformedMultipart);
        }
        let lines = self.buffer.split_to(end);
        let _empty_line = self.buffer.split_to(4);
        let head = part_head(&lines)?;
        self.state = State::Content;
        Ok(Some(MultipartEvent::Part(head)))
    }

    fn content(&mut self) -> Option<MultipartEvent> {
        match find(&self.buffer, &self.delimiter) {
            Some(0) => {
                self.cross(0);
                Some(MultipartEvent::PartEnd)
            }
            Some(at) => Some(MultipartEvent::Data(self.buffer.split_to(at).freeze())),
            None => {
                let told = self.buffer.len() - partial(&self.buffer, &self.delimiter);
                (told > 0).then(|| MultipartEvent::Data(self.buffer.split_to(told).freeze()))
            }
        }
    }
}

/// Where `needle` is, which begins with `\r`.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| *byte == b'\r') {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// Bytes at the end of `haystack` that may begin `needle`.
fn partial(haystack: &[u8], needle: &[u8]) -> usize {
    let most = haystack.len().min(needle.len() - 1);
    (1..=most).rev().find(|len| needle.starts_with(&haystack[haystack.len() - len..])).unwrap_or(0)
}

fn part_head(lines: &[u8]) -> Result<PartHead, MalformedMultipart> {
    let text = String::from_utf8_lossy(lines);
    let value = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.trim().to_owned())
    };
    let disposition = text.split("\r\n").find_map(value).ok_or(MalformedMultipart)?;
    let (kind, parameters) = disposition.split_once(';').ok_or(MalformedMultipart)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(MalformedMultipart);
    }
    let name = parameter(parameters, "name").ok_or(MalformedMultipart)?;
    let extended = || extended_value(&parameter(parameters, "filename*")?);
    let filename = parameter(parameters, "filename").or_else(extended);
    Ok(PartHead { name, filename })
}

/// `UTF-8''…` (RFC 8187).
fn extended_value(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    if charset.eq_ignore_ascii_case("utf-8") { super::decode_path(encoded) } else { None }
}

/// The value of a parameter, its quotes taken off. In quotes `\"` is a quote and `\\` a backslash; any other backslash
/// is one, as in the paths that old browsers send.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (name, after) = rest.split_once('=')?;
        let (value, left) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = left;
    }
}

/// The text up to the closing quote, and what comes after that.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, character)) = chars.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = Result<(Vec<(PartHead, Vec<u8>)>, bool), MalformedMultipart>;

    /// All parts of a body that comes in these pieces, and whether it came to its end.
    fn read(content_type: &str, pieces: &[&[u8]]) -> Read {
        let mut parser = Multipart::of(content_type).expect("a boundary");
        let (mut parts, mut open, mut ended) = (Vec::new(), false, false);
        for piece in pieces {
            parser.push(piece);
            while let Some(event) = parser.next_event()? {
                match event {
                    MultipartEvent::Part(head) => {
                        assert!(!open && !ended);
                        open = true;
                        parts.push((head, Vec::new()));
                    }
                    MultipartEvent::Data(data) => {
                        assert!(open && !data.is_empty());
                        parts.last_mut().expect("a part").1.extend_from_slice(&data);
                    }
                    MultipartEvent::PartEnd => {
                        assert!(open);
                        open = false;
                    }
                    MultipartEvent::End => {
                        assert!(!open && !ended);
                        ended = true;
                    }
                }
            }
        }
        Ok((parts, ended))
    }

    fn field(name: &str, filename: Option<&str>, content: &[u8]) -> (PartHead, Vec<u8>) {
        let head = PartHead { name: name.to_owned(), filename: filename.map(str::to_owned) };
        (head, content.to_vec())
    }

    const TYPE: &str = "multipart/form-data; boundary=AaB03x";

    #[test]
    fn a_form_of_a_browser() {
        let body = "preamble\r\n--AaB03x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\nb\r\n--AaB03x  \r\n\
                    content-type: text/plain\r\ncontent-disposition:form-data;filename=\"\u{fc}.txt\";name=file\r\n\r\n\
                    \r\n--AaB03\r\n\r\n--AaB03x--\r\nepilogue --AaB03x";
        let expected = vec![field("key", None, b"a\r\nb"), field("file", Some("\u{fc}.txt"), b"\r\n--AaB03\r\n")];
        assert_eq!(read(TYPE, &[body.as_bytes()]), Ok((expected, true)));
    }

    #[test]
    fn contents_may_be_empty_and_hold_beginnings_of_a_boundary() {
        for content in ["", "\r", "\r\n", "\r\n-", "\r\n--", "--AaB03x", "\r\r\n--AaB03", "\n--AaB03x", "\r\n\r\n"] {
            let body = format!("--AaB03x\r\nContent-Disposition: form-data; name=n\r\n\r\n{content}\r\n--AaB03x--");
            let expected = Ok((vec![field("n", None, content.as_bytes())], true));
            assert_eq!(read(TYPE, &[body.as_bytes()]), expected, "{content:?}");
            let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            assert_eq!(read(TYPE, &bytes), expected, "{content:?} byte by byte");
        }
    }

    #[test]
    fn names_in_every_spelling() {
        for (parameters, name, filename) in [
            ("name=a", "a", None),
            ("name=\"a;b=c\"; filename=\"x;y\"", "a;b=c", Some("x;y")),
            ("name=\"a\\\"b\\\\c\"", "a\"b\\c", None),
            ("filename=\"C:\\dir\\file.txt\"; name=\"f\"", "f", Some("C:\\dir\\file.txt")),
            ("name=f; filename=\"%22.txt\"", "f", Some("%22.txt")),
            ("name=f; filename*=UTF-8''na%C3%AFve", "f", Some("na\u{ef}ve")),
            ("name=f; filename=plain; filename*=utf-8'en'other", "f", Some("plain")),
            ("NAME=f; FileName=\"\"", "f", Some("")),
        ] {
            let head = part_head(format!("Content-Disposition: form-data; {parameters}").as_bytes()).expect(parameters);
            assert_eq!((head.name.as_str(), head.filename.as_deref()), (name, filename), "{parameters}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let part = "--AaB03x\r\nContent-Disposition: form-data; name=n\r\n\r\nv";
        for body in [
            "--AaB03x\r\n\r\nv\r\n--AaB03x--".to_owned(),
            "--AaB03x\r\nContent-Type: text/plain\r\n\r\nv".to_owned(),
            "--AaB03x\r\nContent-Disposition: form-data\r\n\r\nv".to_owned(),
            "--AaB03x\r\nContent-Disposition: attachment; name=n\r\n\r\nv".to_owned(),
            "--AaB03x\r\nContent-Disposition: form-data; name=\"n\r\n\r\nv".to_owned(),
            "--AaB03xy\r\n\r\n".to_owned(),
            format!("{part}\r\n--AaB03x-x"),
            format!("--AaB03x\r\nContent-Disposition: form-data; name={}\r\n\r\n", "n".repeat(HEAD_MAX_BYTES)),
        ] {
            let end = body.len().min(200);
            assert_eq!(read(TYPE, &[body.as_bytes()]), Err(MalformedMultipart), "{}", &body[..end]);
        }
        // What is cut short is told apart from what has ended.
        assert_eq!(read(TYPE, &[part.as_bytes()]), Ok((vec![field("n", None, b"v")], false)));
        assert_eq!(read(TYPE, &[b"no boundary at all"]), Ok((vec![], false)));
    }

    #[test]
    fn boundaries() {
        for good in [
            "multipart/form-data; boundary=x",
            "Multipart/Form-Data;charset=utf-8; Boundary=\"a b:c\"",
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            "multipart/form-data; boundary='();,",
        ] {
            assert!(Multipart::of(good).is_some(), "{good}");
        }
        let long = |length| format!("multipart/form-data; boundary={}", "b".repeat(length));
        assert!(Multipart::of(&long(BOUNDARY_MAX_BYTES)).is_some());
        for bad in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"",
            "multipart/mixed; boundary=x",
            "text/plain; boundary=x",
            "",
            &long(BOUNDARY_MAX_BYTES + 1),
        ] {
            assert!(Multipart::of(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn nothing_is_held_of_a_long_content() {
        let mut parser = Multipart::of(TYPE).expect("a boundary");
        parser.push(b"--AaB03x\r\nContent-Disposition: form-data; name=n\r\n\r\n");
        assert!(matches!(parser.next_event(), Ok(Some(MultipartEvent::Part(_)))));
        for _ in 0..100 {
            parser.push(&[b'\r'; 10_000]);
            while let Ok(Some(MultipartEvent::Data(_))) = parser.next_event() {}
            assert!(parser.waiting_bytes() < 16, "{}", parser.waiting_bytes());
        }
    }

    proptest! {
        /// However a body is cut into pieces, it says the same.
        #[test]
        fn pieces_do_not_matter(
            contents in proptest::collection::vec("[ab\r\n-]{0,24}|\r\n--b|\r\n--bx?", 0..4),
            tail in "(--)?(\r\n)?[b\r\n-]{0,8}",
            cuts in proptest::collection::vec(0..300_usize, 0..12),
        ) {
            let mut body = String::new();
            for (number, content) in contents.iter().enumerate() {
                body.push_str(&format!("--b\r\nContent-Disposition: form-data; name=f{number}\r\n\r\n{content}\r\n"));
            }
            body.push_str("--b");
            body.push_str(&tail);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([body.len()]) {
                pieces.push(&body.as_bytes()[from..cut]);
                from = cut;
            }
            let content_type = "multipart/form-data; boundary=b";
            let whole = read(content_type, &[body.as_bytes()]);
            prop_assert_eq!(&read(content_type, &pieces), &whole);
            let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            prop_assert_eq!(&read(content_type, &bytes), &whole);
        }

        /// Any bytes at all are read to their end or refused.
        #[test]
        fn nothing_breaks_it(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _whatever = read("multipart/form-data; boundary=b", &[b"--b\r\n", &body, b"\r\n--b--"]);
        }
    }
}
