//! What the commands of this machine say to a running server, and its answers, pure: one question and one answer a
//! connection to the Unix socket `control.sock` in the data directory.
//!
//! ```text
//! question   version 1 (1) | what (1) | length, big endian (4) | body
//! answer     0 done or 1 refused (1) | length (4) | body; of a refusal its text
//! ```
//!
//! The socket has mode 0600, and only the server's user and root are heard: who could read the key file too. A passphrase never
//! crosses it; the command derives the root's secret, and the server compares.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::crypto::{SecretBytes, SecretKey};
use crate::keyring::{NewRoot, Root, RootSecret};

/// The socket's name in the data directory.
pub const SOCKET: &str = "control.sock";
const VERSION: u8 = 1;
/// Longest body, in bytes: one audit record of the greatest size, or many; a status with the most roots stays far below.
const BODY_MAX_BYTES: usize = 512 * 1024;
/// Of audit records in one answer, in bytes.
pub(super) const RECORDS_MAX_BYTES: usize = BODY_MAX_BYTES - 64 * 1024;

/// A question.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub enum Question {
    /// The roots and whether the store is sealed: answered with a [`Status`].
    Status,
    /// Opens a sealed store.
    Unseal(RootSecret),
    /// Adds a root.
    Add(NewRoot),
    /// Removes the root of this name or id.
    Remove(String),
    /// Rotates the store key.
    Rotate,
    /// The audit records of the request with this id: answered with [`Records`].
    Records(String),
    /// Makes the list of an inventory at once, of this bucket and id: answered with what was made.
    Inventory(String, String),
}

/// What the trail has of a request: CloudTrail records in JSON, newest first.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Records {
    /// The records.
    #[n(0)]
    pub records: Vec<String>,
}

/// What a store says of its roots.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Status {
    /// The store key is not open.
    #[n(0)]
    pub sealed: bool,
    /// All roots.
    #[n(1)]
    pub roots: Vec<Root>,
    /// The ids of those that open the store now, without anybody there.
    #[n(2)]
    pub usable: Vec<String>,
    /// The sealing generation, as hexadecimal digits; none while sealed.
    #[n(3)]
    pub generation: Option<String>,
    /// A rotation of the store key is under way.
    #[n(4)]
    pub rotating: bool,
}

/// The body of an answer, or the text of a refusal.
pub type Answer = Result<Vec<u8>, String>;

impl Question {
    fn parts(&self) -> (u8, SecretBytes) {
        let body = |bytes: Vec<u8>| SecretBytes::new(bytes);
        match self {
            Self::Status => (1, body(Vec::new())),
            Self::Unseal(secret) => (2, body(secret.key().expose().to_vec())),
            Self::Add(root) => (3, body(minicbor::to_vec(root).expect("encoding into memory does not fail"))),
            Self::Remove(name) => (4, body(name.as_bytes().to_vec())),
            Self::Rotate => (5, body(Vec::new())),
            Self::Records(request_id) => (6, body(request_id.as_bytes().to_vec())),
            Self::Inventory(bucket, id) => {
                (7, body(minicbor::to_vec((bucket, id)).expect("encoding into memory does not fail")))
            }
        }
    }

    fn of_parts(what: u8, body: &SecretBytes) -> Option<Self> {
        match what {
            1 => Some(Self::Status),
            2 => SecretKey::from_slice(body.expose()).map(|key| Self::Unseal(RootSecret::of_key(key))),
            3 => minicbor::decode(body.expose()).ok().map(Self::Add),
            4 => String::from_utf8(body.expose().to_vec()).ok().map(Self::Remove),
            5 => Some(Self::Rotate),
            6 => String::from_utf8(body.expose().to_vec()).ok().map(Self::Records),
            7 => minicbor::decode(body.expose()).ok().map(|(bucket, id)| Self::Inventory(bucket, id)),
            _ => None,
        }
    }
}

/// Asks.
pub async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), question: &Question) -> io::Result<Answer> {
    write_question(stream, question).await?;
    let refused = stream.read_u8().await?;
    let body = read_body(stream).await?.expose().to_vec();
    Ok(if refused == 0 { Ok(body) } else { Err(String::from_utf8_lossy(&body).into_owned()) })
}

/// Writes a question.
pub async fn write_question(stream: &mut (impl AsyncWrite + Unpin), question: &Question) -> io::Result<()> {
    let (what, body) = question.parts();
    stream.write_all(&[VERSION, what]).await?;
    write_body(stream, body.expose()).await
}

/// Reads a question; `None`: it is none that this version knows.
pub async fn read_question(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Question>> {
    let (version, what) = (stream.read_u8().await?, stream.read_u8().await?);
    let body = read_body(stream).await?;
    Ok(Question::of_parts(what, &body).filter(|_| version == VERSION))
}

/// Writes an answer.
pub async fn write_answer(stream: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> io::Result<()> {
    let (refused, body) = match answer {
        Ok(body) => (0, body.as_slice()),
        Err(text) => (1, text.as_bytes()),
    };
    stream.write_u8(refused).await?;
    write_body(stream, body).await
}

async fn write_body(stream: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

async fn read_body(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<SecretBytes> {
    let length = stream.read_u32().await? as usize;
    if length > BODY_MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a body beyond the limit"));
    }
    let mut body = vec![0; length];
    let read = stream.read_exact(&mut body).await;
    let body = SecretBytes::new(body);
    read.map(|_| body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::Method;
    use crate::sources::{Sources, Timestamp};

    async fn heard(question: &Question) -> Option<Question> {
        let (mut near, mut far) = tokio::io::duplex(4096);
        let asked = ask(&mut near, question);
        let answered = async {
            let heard = read_question(&mut far).await.unwrap();
            write_answer(&mut far, &Err("no".to_owned())).await.unwrap();
            heard
        };
        let (answer, heard) = tokio::join!(asked, answered);
        assert_eq!(answer.unwrap(), Err("no".to_owned()));
        heard
    }

    #[tokio::test]
    async fn questions_are_heard_as_asked() {
        let secret = RootSecret::generate(&Sources::seeded(1, Timestamp(0)));
        let (id, root) = (secret.id(), NewRoot::of(&secret, "n", Method::Shares { threshold: 2, count: 3 }));
        assert!(matches!(heard(&Question::Status).await, Some(Question::Status)));
        assert!(matches!(heard(&Question::Rotate).await, Some(Question::Rotate)));
        assert!(matches!(heard(&Question::Unseal(secret)).await, Some(Question::Unseal(same)) if same.id() == id));
        assert!(matches!(heard(&Question::Add(root.clone())).await, Some(Question::Add(same)) if same == root));
        assert!(matches!(heard(&Question::Remove("x".to_owned())).await, Some(Question::Remove(name)) if name == "x"));
        let records = Question::Records("ID".to_owned());
        assert!(matches!(heard(&records).await, Some(Question::Records(id)) if id == "ID"));
        let list = Question::Inventory("shelf".to_owned(), "all".to_owned());
        let heard = heard(&list).await;
        assert!(matches!(heard, Some(Question::Inventory(bucket, id)) if (&*bucket, &*id) == ("shelf", "all")));
    }

    #[tokio::test]
    async fn nonsense_is_no_question() {
        for (bytes, known) in [
            (&[1, 1, 0, 0, 0, 0][..], true),
            (&[2, 1, 0, 0, 0, 0], false),
            (&[1, 9, 0, 0, 0, 0], false),
            (&[1, 2, 0, 0, 0, 1, 7], false),
            (&[1, 3, 0, 0, 0, 1, 7], false),
            (&[1, 4, 0, 0, 0, 1, 0xff], false),
            (&[1, 6, 0, 0, 0, 1, 0xff], false),
            (&[1, 7, 0, 0, 0, 1, 0x80], false),
        ] {
            let question = read_question(&mut &bytes[..]).await.unwrap();
            assert_eq!(question.is_some(), known, "{bytes:?}");
        }
        for cut in [&[][..], &[1], &[1, 1, 0, 0], &[1, 2, 0, 0, 0, 9, 1], &[1, 2, 0, 4, 0, 1]] {
            assert!(read_question(&mut &cut[..]).await.is_err(), "{cut:?}");
        }
    }
}
