//! XML: a writer for answers and a small, limited reader for request bodies.

use std::fmt::Write as _;

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

/// S3's namespace.
pub const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// What requests may name: that, and the one that the user guide has in its examples of logging.
const S3_NAMESPACES: [&str; 2] = [S3_NAMESPACE, "http://doc.s3.amazonaws.com/2006-03-01"];

/// The namespace of `xsi:type`.
const XSI_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What a document begins with.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Elements inside elements; S3's deepest body has six levels.
const MAX_DEPTH: usize = 32;
/// Elements of one body: Complete with 10,000 parts of a dozen elements each stays below.
const MAX_ELEMENTS: usize = 200_000;

/// Writes an answer into one string. Text is escaped as AWS does it.
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
    /// The value of its attribute `type` (`xsi:type`, which ACLs have); other attributes are passed over.
    pub kind: Option<Box<str>>,
}

/// The body is no well-formed XML, or goes over a limit (depth, elements, entities other than the five).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Writer {
    /// Starts a document with the XML declaration.
    pub fn document() -> Self {
        Self::with_capacity(512)
    }

    /// The same, with room for `bytes` bytes: a list page is then written without growing the string on the way.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut out = String::with_capacity(bytes);
        out.push_str(DECLARATION);
        Self(out)
    }

    /// Without the XML declaration, with room for `bytes` bytes: a part of a document, or an answer of the Query
    /// protocol, which has none.
    pub fn bare(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// `<name>text</name>`
    pub fn leaf(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name);
        escape_into(&mut self.0, text);
        self.close(name)
    }

    /// `<name>text</name>` where `write` appends the text itself, already free of `&` and `<`: for numbers, dates and
    /// percent-encoded keys, which then need no string of their own.
    pub fn leaf_with(&mut self, name: &str, write: impl FnOnce(&mut String)) -> &mut Self {
        self.open(name);
        write(&mut self.0);
        self.close(name)
    }

    /// `<name>17</name>`
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.leaf_with(name, |out| {
            let _ = write!(out, "{value}"); // a String takes all
        })
    }

    /// `<name>true</name>`
    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.leaf_with(name, |out| out.push_str(if value { "true" } else { "false" }))
    }

    /// `<name>&quot;etag&quot;</name>`: an ETag, which is shown in quotes.
    pub fn etag(&mut self, name: &str, etag: &str) -> &mut Self {
        self.open(name);
        self.0.push_str("&quot;");
        escape_into(&mut self.0, etag);
        self.0.push_str("&quot;");
        self.close(name)
    }

    /// Text in the open element.
    pub fn text(&mut self, text: &str) {
        escape_into(&mut self.0, text);
    }

    /// `<name>…</name>` around what `inner` writes.
    pub fn node(&mut self, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        inner(self);
        self.close(name)
    }

    /// `<name xsi:type="kind">…</name>`, as grantees of ACLs are written. `kind` is a word of ours.
    pub fn typed_node(&mut self, name: &str, kind: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.0, "<{name} xmlns:xsi=\"{XSI_NAMESPACE}\" xsi:type=\"{kind}\">"); // a String takes all
        inner(self);
        self.close(name)
    }

    /// The root element with S3's namespace.
    pub fn root(&mut self, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.root_in(S3_NAMESPACE, name, inner)
    }

    /// The root element with another namespace.
    pub fn root_in(&mut self, namespace: &str, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push_str(" xmlns=\"");
        self.0.push_str(namespace);
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
/// such keys ask for `encoding-type=url`. Runs of plain text are copied whole.
fn escape_into(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| matches!(c, '&' | '<' | '>' | '"') || c.is_control()) {
        let (plain, from_special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = from_special.chars();
        match chars.next() {
            Some('&') => out.push_str("&amp;"),
            Some('<') => out.push_str("&lt;"),
            Some('>') => out.push_str("&gt;"),
            Some('"') => out.push_str("&quot;"),
            Some(control) => {
                let _ = write!(out, "&#x{:x};", u32::from(control)); // a String takes all
            }
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

impl Element {
    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The only child of this name; `Malformed` if there are several.
    pub fn at_most_one(&self, name: &str) -> Result<Option<&Self>, Malformed> {
        let mut found = self.children.iter().filter(|c| c.name == name);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(Malformed),
        }
    }

    /// `Malformed` unless every child has one of these names: what is not understood is not passed over, nor is text
    /// where elements belong. Without names it is a leaf, which text belongs in.
    pub fn expect_only(&self, names: &[&str]) -> Result<(), Malformed> {
        let known = self.children.iter().all(|c| names.contains(&c.name.as_str()));
        if known && (names.is_empty() || self.text.trim().is_empty()) { Ok(()) } else { Err(Malformed) }
    }

    /// The text of an element that has no children; `Malformed` if it has.
    pub fn leaf(&self) -> Result<&str, Malformed> {
        if self.children.is_empty() { Ok(&self.text) } else { Err(Malformed) }
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

/// Parses a document: at most 32 levels deep, no DTD, no entities but the five and character references. Namespaces are
/// passed over.
pub fn parse(body: &[u8]) -> Result<Element, Malformed> {
    read(body, |_| true)
}

/// Parses the body of an S3 request: as [`parse`], and every element is in S3's namespace or in none. (AWS's SDKs send
/// the one, many clients the other.)
pub fn parse_s3(body: &[u8]) -> Result<Element, Malformed> {
    read(body, |namespace| match namespace {
        ResolveResult::Unbound => true,
        ResolveResult::Bound(Namespace(uri)) => {
            let uri = uri.trim_end_matches('/');
            uri.is_empty() || S3_NAMESPACES.iter().any(|known| known.trim_end_matches('/') == uri)
        }
        // Of a prefix that nothing declares.
        ResolveResult::Unknown(_) => false,
    })
}

fn read(body: &[u8], is_ours: impl Fn(ResolveResult<'_>) -> bool) -> Result<Element, Malformed> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| Malformed)?;
    // In no XML at all, while other control characters occur in keys that clients do not escape.
    if text.contains('\0') {
        return Err(Malformed);
    }
    let mut reader = NsReader::from_str(text);
    let mut stack: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0;
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| Malformed)?;
        if matches!(event, Event::Start(_) | Event::Empty(_)) && !is_ours(namespace) {
            return Err(Malformed);
        }
        match event {
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
                // No document of ours has text beside elements: it would be passed over in silence.
                if !done.children.is_empty() && !done.text.trim().is_empty() {
                    return Err(Malformed);
                }
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
    let mut attributes = start.attributes();
    let typed = attributes.with_checks(false).filter_map(Result::ok);
    let kind = typed.filter(|attribute| attribute.key.local_name().as_ref() == "type").last();
    let kind = kind.map(|attribute| attribute.value.as_ref().into());
    Ok(Element { name: name.as_ref().to_owned(), kind, ..Element::default() })
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
    use super::{Malformed, Writer, parse, parse_s3};

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
    fn leaves_of_all_kinds() {
        let mut w = Writer::with_capacity(64);
        w.number("N", u64::MAX).flag("T", true).flag("F", false).etag("E", "a&b").leaf_with("W", |out| out.push('x'));
        let body = "<N>18446744073709551615</N><T>true</T><F>false</F><E>&quot;a&amp;b&quot;</E><W>x</W>";
        assert!(w.finish().ends_with(body));
    }

    #[test]
    fn children_are_counted_and_named() {
        let root = parse(b"<a><b/><b/><c/></a>").unwrap();
        assert_eq!(root.at_most_one("b"), Err(Malformed));
        assert_eq!(root.at_most_one("c").unwrap().map(|c| c.name.as_str()), Some("c"));
        assert_eq!(root.at_most_one("d"), Ok(None));
        assert_eq!(root.expect_only(&["b", "c", "d"]), Ok(()));
        assert_eq!(root.expect_only(&["b"]), Err(Malformed));
        for (body, container, leaf) in
            [("<a/>", Ok(()), Ok(())), ("<a> \n</a>", Ok(()), Ok(())), ("<a>x</a>", Err(Malformed), Ok(()))]
        {
            let root = parse(body.as_bytes()).unwrap();
            assert_eq!((root.expect_only(&["b"]), root.expect_only(&[])), (container, leaf), "{body}");
        }
    }

    #[test]
    fn reads_prefixes_entities_and_cdata() {
        let body = b"<?xml version='1.0'?><!-- x --><x:A xmlns:x='u'><x:B a='1'> &lt;&#65;&#x42;<![CDATA[&c]]></x:B>\
                     <C/></x:A>\n";
        let root = parse(body).unwrap();
        assert_eq!(root.name, "A");
        assert_eq!(root.child_text("B"), Some("<AB&c"));
        assert_eq!(root.child_text("C"), Some(""));
    }

    #[test]
    fn requests_are_in_s3s_namespace_or_in_none() {
        let s3 = "http://s3.amazonaws.com/doc/2006-03-01/";
        for good in [
            "<A><B/></A>".to_owned(),
            format!("<A xmlns='{s3}'><B/></A>"),
            "<A xmlns=\"http://s3.amazonaws.com/doc/2006-03-01\"><B/></A>".to_owned(),
            "<A xmlns='http://doc.s3.amazonaws.com/2006-03-01'><B/></A>".to_owned(),
            format!("<s:A xmlns:s='{s3}'><s:B/></s:A>"),
            format!("<A xmlns='{s3}'><B xmlns=''/></A>"),
            format!("<A xmlns='{s3}'><B xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='t'/></A>"),
            "<A xmlns:x='http://example.com/' x:y='z'><B/></A>".to_owned(),
        ] {
            let root = parse_s3(good.as_bytes()).unwrap_or_else(|Malformed| panic!("{good}"));
            assert_eq!((root.name.as_str(), root.children.len()), ("A", 1), "{good}");
        }
        for bad in [
            "<A xmlns='http://example.com/'><B/></A>".to_owned(),
            "<A xmlns='HTTP://S3.amazonaws.com/doc/2006-03-01/'><B/></A>".to_owned(),
            "<A xmlns='http://s3.amazonaws.com/doc/2006-03-01/x'><B/></A>".to_owned(),
            format!("<A xmlns='{s3}'><B xmlns='http://example.com/'/></A>"),
            "<x:A xmlns:x='http://example.com/'><x:B/></x:A>".to_owned(),
            "<A><s:B/></A>".to_owned(),
            "<s:A><s:B/></s:A>".to_owned(),
        ] {
            assert_eq!(parse_s3(bad.as_bytes()), Err(Malformed), "{bad}");
        }
        // More declarations than any client makes would have to be searched for each element.
        let many: String = (0..1000).map(|n| format!(" xmlns:n{n}='{s3}'")).collect();
        assert_eq!(parse_s3(format!("<A{many}/>").as_bytes()), Err(Malformed));
    }

    #[test]
    fn types_are_read_and_written() {
        let mut w = Writer::default();
        w.typed_node("Grantee", "Group", |w| {
            w.leaf("URI", "u");
        });
        let written = w.finish();
        assert_eq!(
            written,
            "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\"><URI>u</URI></Grantee>"
        );
        for (body, kind) in [
            (written.as_str(), Some("Group")),
            ("<a type='b'/>", Some("b")),
            ("<a x:type=\"b\" c='d'></a>", Some("b")),
            ("<a c='d'/>", None),
            ("<a/>", None),
        ] {
            assert_eq!(parse(body.as_bytes()).unwrap().kind.as_deref(), kind, "{body}");
        }
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
