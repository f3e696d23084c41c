//! XML: a writer for answers and a small, limited reader for request bodies.

/// Writes an answer. Text is escaped as AWS does it.
#[derive(Debug, Default)]
pub struct Writer(String);

/// An element of a request body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Name without its prefix.
    pub name: String,
    /// Text directly inside, entities resolved.
    pub text: String,
    /// Child elements in order.
    pub children: Vec<Element>,
}

/// The body is no well-formed XML, or goes over a limit (depth, elements, entities other than the five).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Writer {
    /// Starts a document with the XML declaration.
    pub fn document() -> Self {
        unimplemented!()
    }

    /// `<name>text</name>`
    pub fn leaf(&mut self, name: &str, text: &str) -> &mut Self {
        let _ = (name, text);
        unimplemented!()
    }

    /// `<name>…</name>` around what `inner` writes.
    pub fn node(&mut self, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = (name, inner);
        unimplemented!()
    }

    /// The root element with S3's namespace.
    pub fn root(&mut self, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = (name, inner);
        unimplemented!()
    }

    /// The document.
    pub fn finish(self) -> String {
        self.0
    }
}

/// Parses a request body: at most 32 levels deep, no DTD, no entities but the five and character references.
pub fn parse(body: &[u8]) -> Result<Element, Malformed> {
    let _ = body;
    unimplemented!()
}
