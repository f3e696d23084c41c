//! Where statements stand in a policy's text.

/// A place in a text: line and column from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// `Line`
    pub line: u32,
    /// `Column`
    pub column: u32,
}

impl Default for Position {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

/// Begin and end of each statement of a document that was parsed before. As IAM counts (by recorded answers): a
/// statement begins where the token before it ends, which is the `[` of the list or the statement before; one that
/// stands alone begins behind its own `{`. It ends behind its `}`.
pub(super) fn of_statements(text: &str) -> Vec<(Position, Position)> {
    let mut scan = Scan { text: text.as_bytes(), at: 0 };
    let Some(spans) = scan.statements() else { return Vec::new() };
    // Spans come in the order of the text: it is gone through once, however many there are.
    let (mut seen, mut here) = (0, Position::default());
    let mut place = |at: usize| {
        for character in text[seen..at].chars() {
            match character {
                '\n' => here = Position { line: here.line.saturating_add(1), column: 1 },
                _ => here.column = here.column.saturating_add(1),
            }
        }
        seen = at;
        here
    };
    spans.into_iter().map(|(start, end)| (place(start), place(end))).collect()
}

/// Goes over JSON that is known to be well-formed.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// The byte spans of the statements.
    fn statements(&mut self) -> Option<Vec<(usize, usize)>> {
        self.expect(b'{')?;
        while self.peek()? == b'"' {
            let start = self.at;
            self.value()?;
            let name: String = serde_json::from_slice(&self.text[start..self.at]).ok()?;
            self.expect(b':')?;
            if name == "Statement" {
                return self.list();
            }
            self.value()?;
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        None
    }

    fn list(&mut self) -> Option<Vec<(usize, usize)>> {
        if self.peek()? == b'{' {
            let start = self.at + 1;
            self.value()?;
            return Some(vec![(start, self.at)]);
        }
        self.expect(b'[')?;
        let mut spans = Vec::new();
        let mut start = self.at;
        while self.peek()? == b'{' {
            self.value()?;
            spans.push((start, self.at));
            start = self.at;
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        Some(spans)
    }

    /// The next byte that is no white space, not yet taken.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Passes over one value: a text, a list, an object, or what ends where these do.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    while !matches!(self.text.get(self.at)?, b',' | b'}' | b']') {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        loop {
            self.at += 1;
            match self.text.get(self.at)? {
                b'\\' => self.at += 1,
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of_statements;

    fn places(text: &str) -> Vec<[u32; 4]> {
        let all = of_statements(text).into_iter();
        all.map(|(start, end)| [start.line, start.column, end.line, end.column]).collect()
    }

    #[test]
    fn as_recorded() {
        // Of the AWS CLI's examples.
        let alone = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}"#;
        assert_eq!(places(alone), [[1, 38, 1, 167]]);
        // Of a bucket policy with two statements, as a user has published it.
        let two = r#"{"Version":"2012-10-17","Statement":[{"Sid":"DenyInsecureTransport","Effect":"Deny","Principal":"*","Action":"*","Resource":["arn:aws:s3:::tims-fancy-bucket/*","arn:aws:s3:::tims-fancy-bucket"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}},{"Sid":"DenyTimDelete","Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":["arn:aws:s3:::tims-fancy-bucket/*"],"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::112233445566:role/tims-test-role"}}}]}"#;
        let [first, second] = places(two)[..] else { panic!("{:?}", places(two)) };
        assert_eq!((&first[..3], second[1]), (&[1, 38, 1][..], first[3]));
        assert_eq!(second[3] as usize, two.len() - 1);
        // AdministratorAccess, as AWS prints it.
        let lines = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\",\n      \
                     \"Action\": \"*\",\n      \"Resource\": \"*\"\n    }\n  ]\n}";
        assert_eq!(places(lines), [[3, 17, 8, 6]]);
    }

    #[test]
    fn odd_texts() {
        let odd = "{ \"Id\" : \"}{][\\\"é\" ,\r\n\"\\u0053tatement\":[ {\"Effect\":[1,true , null]} ,\n{}],\"Statement2\":[{}]}";
        assert_eq!(places(odd), [[2, 19, 2, 46], [2, 46, 3, 3]]);
        assert_eq!(places("{\"Version\": 2012, \"Statement\": {} }"), [[1, 33, 1, 34]]);
        assert!(places("{}").is_empty());
        assert!(places("").is_empty());
    }
}
