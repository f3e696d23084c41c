//! Requests of the stories, changed a little or much, sent to the service in the state that the story left: whatever comes,
//! the answer is one of the API and stands once in the trail, without a secret.
//!
//! Some of each story without RSA keys here; `FUZZ_SECONDS` takes all and goes on for that long, from `FUZZ_SEED` (see
//! `fuzz/run`).

use super::*;
use crate::sources::Sources;

#[path = "../../../tests/fuzz/mutator.rs"]
mod mutator;

use mutator::{Dice, mutated};

/// Requests to one world; then the next story has one of its own.
const ROUNDS: usize = 40;
/// Changes of one request: after more of them it is hardly ever JSON.
const CHANGES_MAX: usize = 2;
const MAX_BYTES: usize = 16 * 1024;
/// Operations that make RSA keys, which takes longer than all else together.
const SLOW: [&str; 4] =
    ["CreateKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GetParametersForImport"];

#[expect(clippy::disallowed_methods, reason = "settings of the run; nothing that is tested reads them")]
fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

#[tokio::test]
async fn any_request_is_answered_and_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kms");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let clock = Sources::system();
    let (start_ns, seconds) = (clock.monotonic_ns(), number("FUZZ_SECONDS"));
    let mut dice = Dice(number("FUZZ_SEED").unwrap_or(1));
    let (mut sent, mut succeeded) = (0, 0);
    loop {
        for path in &paths {
            let text = std::fs::read_to_string(path).unwrap();
            if seconds.is_none() && text.contains("RSA") {
                continue;
            }
            let story: Value = serde_json::from_str(&text).unwrap();
            let (more, good) = vary(&story, &mut dice).await;
            sent += more;
            succeeded += good;
        }
        if clock.monotonic_ns() - start_ns >= seconds.unwrap_or(0) * 1_000_000_000 {
            break;
        }
    }
    println!("request: {sent} requests, {succeeded} of which succeeded");
    assert!(succeeded > sent / 50, "hardly any request got to its operation: {succeeded} of {sent}");
}

/// Plays a story and then sends its requests, changed: how many, and how many of them succeeded.
async fn vary(story: &Value, dice: &mut Dice) -> (usize, usize) {
    let seed = dice.below(1 << 20) as u64;
    let mut world = World::new(seed).await;
    world.add_users(story);
    let mut requests = Vec::new();
    for step in story["steps"].as_array().expect("steps") {
        let request = world.fill(step.get("request").unwrap_or(&json!({}))).to_string().into_bytes();
        play(&mut world, step, &format!("seed {seed}: {} {}", story["about"], step["call"])).await;
        if let Some(call) = step["call"].as_str() {
            requests.push((call.to_owned(), request));
        }
    }
    requests.retain(|(call, _)| super::super::table::find(&format!("TrentService.{call}")).is_some());
    let bodies: Vec<Vec<u8>> = requests.iter().map(|(_, body)| body.clone()).collect();
    let mut counts = (0, 0);
    for _ in 0..ROUNDS {
        let which = dice.below(requests.len());
        // Mostly a body of the same operation, sometimes that of another.
        let corpus = if dice.below(4) == 0 { &bodies[..] } else { &bodies[which..=which] };
        let (call, body) = (&requests[which].0, mutated(corpus, dice, CHANGES_MAX, MAX_BYTES));
        let slow = SLOW.contains(&call.as_str()) && body.windows(3).any(|word| word == b"RSA");
        if slow || call == "GetParametersForImport" {
            continue;
        }
        counts.0 += 1;
        counts.1 += usize::from(send_one(&world, call, body).await);
    }
    counts
}

/// Whether it succeeded.
async fn send_one(world: &World, call: &str, body: Vec<u8>) -> bool {
    let shown = format!("{call} b\"{}\"", body.escape_ascii());
    let mut sent = plain(&format!("TrentService.{call}"), "");
    sent.body = body;
    let before = world.fixture.events().await.len();
    let (status, _, answer) = world.send(&sent).await;
    let text = String::from_utf8_lossy(&answer);
    let answer: Value = if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer).expect("JSON") };
    assert!(status == 200 || (status == 400 && answer["__type"].is_string()), "{shown}: {status} {text}");
    let events = &world.fixture.events().await[before..];
    let calls: Vec<&Value> = events.iter().filter(|event| event["eventType"] == "AwsApiCall").collect();
    assert_eq!(calls.len(), 1, "{shown}: {events:?}");
    assert_eq!(calls[0]["errorCode"].is_string(), status != 200, "{shown}: {text}");
    let record = calls[0].to_string();
    for secret in UNRECORDED.iter().filter_map(|name| answer[*name].as_str()) {
        // A byte or two stand anywhere.
        assert!(secret.len() < 8 || !record.contains(secret), "{shown}: a secret is in the record");
    }
    status == 200
}
