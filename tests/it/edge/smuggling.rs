//! Where a body ends must not be a matter of opinion: a proxy in front that reads it otherwise would take a part of one
//! client's request for another's answer. What is ambiguous is refused, or the connection ends after it.

use super::{CLOSE, header, settings, start};

/// What a second reading of the body would take for a request; its answer says `smuggled`.
const SMUGGLED: &str = "GET /echo/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn two_framings_end_the_connection() {
    let edge = start(settings()).await;
    let (length, chunked) = ("Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n");
    for framing in [[length, chunked].concat(), [chunked, length].concat(), [length, chunked, length].concat()] {
        // By its length the body is `0\r\n\r`; by its chunks nothing, and a request follows.
        let answer = edge.ask(&format!("PUT /length HTTP/1.1\r\nHost: h\r\n{framing}\r\n0\r\n\r\n{SMUGGLED}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n0"), "{framing:?}: {answer}");
        assert_eq!(header(&answer, "connection"), Some("close"), "{answer}");
        assert!(!answer.contains("smuggled"), "{framing:?}: {answer}");
    }
}

#[tokio::test]
async fn framings_that_are_read_in_two_ways_are_refused() {
    let edge = start(settings()).await;
    for fields in [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 4 4\r\n",
        "Content-Length : 4\r\n",
        "Content-Length:\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        "X: y\r\n folded: line\r\n",
        "X: y\rContent-Length: 4\r\n",
        "X: a\0b\r\n",
        "X\0: y\r\n",
        ": no name\r\n",
        "no colon\r\n",
    ] {
        let answer = edge.ask(&format!("PUT /length HTTP/1.1\r\nHost: h\r\n{fields}\r\n0\r\n\r\n{SMUGGLED}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{fields:?}: {answer}");
        assert!(!answer.contains("smuggled"), "{fields:?}: {answer}");
    }
    let old = edge.ask(&format!("PUT /length HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}")).await;
    assert!(old.starts_with("HTTP/1.0 400 ") || old.starts_with("HTTP/1.1 400 "), "{old}");
}

#[tokio::test]
async fn broken_chunks_end_the_connection() {
    let edge = start(settings()).await;
    for body in ["0x1\r\na\r\n", "-1\r\n", "1\r\nab\r\n", "1\na\n0\n\n", "fffffffffffffffff\r\n"] {
        let head = "PUT /length HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = edge.ask(&format!("{head}{body}0\r\n\r\n{SMUGGLED}")).await;
        assert!(!answer.contains("smuggled") && !answer.contains(" 200 "), "{body:?}: {answer}");
    }
    assert!(edge.ask(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await.ends_with("root"));
}

#[tokio::test]
async fn what_was_refused_unread_is_never_taken_for_a_request() {
    let edge = start(settings()).await;
    for framing in [format!("Content-Length: {}", SMUGGLED.len()), "Transfer-Encoding: chunked".to_owned()] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let head = format!("PUT /refuse HTTP/1.1\r\nHost: h\r\n{framing}\r\n{expect}\r\n");
            let answer = edge.ask(&format!("{head}{SMUGGLED}")).await;
            assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("AccessDenied"), "{answer}");
            assert_eq!(header(&answer, "connection"), Some("close"));
        }
    }
}
