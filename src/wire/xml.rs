//! XML: a writer for answers and a small, limited reader for request bodies.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// S3's namespace.
pub const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Elements inside elements; S3's deepest body has six levels.
const MAX_DEPTH: usize = 32;
/// Elements of one body: Complete with 10,000 parts of a dozen elements each stays below.
const MAX_ELEMENTS: usize = 200_000;

/// Writes an answer. Text is escaped as AWS does it.
#[derive(Debug, Default)]
pub struct Writer(String);

/// An element of a request body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Name without its prefix.
    pub name: String,
    /// Text directly inside, entities resolved.
    pub text: String,
    /// Child elements in order.
    pub children: Vec<Self>,
}

/// The body is no well-formed XML, or goes over a limit (depth, elements, entities other than the five).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Writer {
    /// Starts a document with the XML declaration.
    pub fn document() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    /// `<name>text</name>`
    pub fn leaf(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name);
        escape_into(&mut self.0, text);
        self.close(name)
    }

    /// `<name>…</name>` around what `inner` writes.
    pub fn node(&mut self, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        inner(self);
        self.close(name)
    }

    /// The root element with S3's namespace.
    pub fn root(&mut self, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push_str(" xmlns=\"");
        self.0.push_str(S3_NAMESPACE);
        self.0.push_str("\">");
        inner(self);
        self.close(name)
    }

    /// The document.
    pub fn finish(self) -> String {
        self.0
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }
}

/// Control characters become character references: not XML 1.0, and what AWS answers all the same. Clients that list
/// such keys ask for `encoding-type=url`.
fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push_str(&format!("&#x{:x};", u32::from(c))),
            c => out.push(c),
        }
    }
}

impl Element {
    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The text of the first child of this name, blanks around it taken off.
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|c| c.text.trim())
    }

    /// All children of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |c| c.name == name)
    }
}

/// Parses a request body: at most 32 levels deep, no DTD, no entities but the five and character references.
pub fn parse(body: &[u8]) -> Result<Element, Malformed> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| Malformed)?;
    let mut reader = Reader::from_str(text);
    let mut stack: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0;
    loop {
        match reader.read_event().map_err(|_| Malformed)? {
            Event::Start(start) => {
                count += 1;
                if stack.len() >= MAX_DEPTH || count > MAX_ELEMENTS || root.is_some() {
                    return Err(Malformed);
                }
                stack.push(element(&start)?);
            }
            Event::Empty(start) => {
                count += 1;
                if count > MAX_ELEMENTS || root.is_some() {
                    return Err(Malformed);
                }
                let leaf = element(&start)?;
                attach(&mut stack, &mut root, leaf);
            }
            Event::End(_) => {
                let done = stack.pop().ok_or(Malformed)?;
                attach(&mut stack, &mut root, done);
            }
            Event::Text(text) => push_text(&mut stack, &text.xml10_content())?,
            Event::CData(text) => push_text(&mut stack, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                let character = match reference.resolve_char_ref().map_err(|_| Malformed)? {
                    Some(c) => c,
                    None => predefined(&name).ok_or(Malformed)?,
                };
                push_text(&mut stack, character.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(Malformed),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if stack.is_empty() { root.ok_or(Malformed) } else { Err(Malformed) }
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

fn element(start: &BytesStart<'_>) -> Result<Element, Malformed> {
    let name = start.local_name();
    Ok(Element { name: name.as_ref().to_owned(), ..Element::default() })
}

fn attach(stack: &mut [Element], root: &mut Option<Element>, done: Element) {
    match stack.last_mut() {
        Some(parent) => parent.children.push(done),
        None => *root = Some(done),
    }
}

fn push_text(stack: &mut [Element], text: &str) -> Result<(), Malformed> {
    match stack.last_mut() {
        Some(open) => open.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(Malformed),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Writer, parse};

    #[test]
    fn writes_what_aws_writes() {
        let mut w = Writer::document();
        w.root("R", |w| {
            w.leaf("ETag", "\"ab\"").node("N", |w| {
                w.leaf("K", "a&<>'\u{1}\r\u{e9}");
            });
        });
        assert_eq!(
            w.finish(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <ETag>&quot;ab&quot;</ETag><N><K>a&amp;&lt;&gt;'&#x1;&#xd;\u{e9}</K></N></R>"
        );
    }

    #[test]
    fn reads_prefixes_entities_and_cdata() {
        let body = b"<?xml version='1.0'?><!-- x --><x:A xmlns:x='u'><x:B a='1'> &lt;&#65;&#x42;<![CDATA[&c]]></x:B><C/></x:A>\n";
        let root = parse(body).unwrap();
        assert_eq!(root.name, "A");
        assert_eq!(root.child_text("B"), Some("<AB&c"));
        assert_eq!(root.child_text("C"), Some(""));
    }

    #[test]
    fn refuses_what_is_malformed_or_hostile() {
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        let many = format!("<a>{}</a>", "<b/>".repeat(200_001));
        let bad = [
            "",
            "x",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "<a>&nbsp;</a>",
            "<a>&#0;</a>",
            &deep,
            &many,
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<a b></a",
            "<a>\u{0}</a",
        ];
        for body in bad {
            assert_eq!(parse(body.as_bytes()), Err(Malformed), "{}", &body[..body.len().min(60)]);
        }
        assert_eq!(parse(b"<a>\xff</a>"), Err(Malformed));
    }
}
