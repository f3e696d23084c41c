//! `strongroom audit`

use std::fs::OpenOptions;
use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, say, stopped};
use crate::app::{App, StoreUse};
use crate::audit::{AuditRecord, Link, VerifyError};
use crate::config::SettingsArgs;

/// Records fetched at once.
const PAGE_RECORDS: usize = 1000;

/// List, verify or export the audit trail of a stopped server
#[derive(Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Verify(Verify),
    Export(Export),
}

/// Print records, oldest first: number, time, event, principal, outcome, resources
#[derive(Args)]
struct List {
    /// Only records after this number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    /// At most so many records
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// One JSON object a line, in the form of `audit export`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Check the hash chain from its first record to its head, and print the head; exit code 3 if it is broken
///
/// Keep the printed head somewhere else: given as --head, it shows whether records were cut off the end.
#[derive(Args)]
struct Verify {
    /// A head that was noted earlier, NUMBER:HASH
    #[arg(long, value_name = "NUMBER:HASH")]
    head: Option<Head>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Write all records to a new file, one JSON object a line: number, hash and the CloudTrail record
#[derive(Args)]
struct Export {
    /// File to make; - for standard output
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Only records after this number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(command: Audit) -> Result<(), Failure> {
    match command.command {
        Command::List(command) => {
            let app = stopped::open(command.settings, StoreUse::None).await?;
            let render = if command.json { json_line } else { text_line };
            let limit = command.limit.unwrap_or(usize::MAX);
            copy(&app, command.after, limit, render, &mut BufWriter::new(stdout().lock())).await
        }
        Command::Verify(command) => {
            let app = stopped::open(command.settings, StoreUse::None).await?;
            verify(&app, command.head).await
        }
        Command::Export(command) => {
            let app = stopped::open(command.settings, StoreUse::None).await?;
            if command.file.as_os_str() == "-" {
                let mut out = BufWriter::new(stdout().lock());
                return copy(&app, command.after, usize::MAX, json_line, &mut out).await;
            }
            let shown = command.file.display().to_string();
            // Records are evidence: an export never overwrites an older one.
            let file = OpenOptions::new().write(true).create_new(true).open(&command.file);
            let file = file.map_err(|error| Failure::Failed(format!("{shown}: {error}")))?;
            let mut out = BufWriter::new(file);
            copy(&app, command.after, usize::MAX, json_line, &mut out).await?;
            let file = out.into_inner().map_err(|error| Failure::Failed(format!("{shown}: {error}")))?;
            file.sync_all().map_err(|error| Failure::Failed(format!("{shown}: {error}")))
        }
    }
}

async fn copy(
    app: &App,
    mut after: u64,
    mut limit: usize,
    render: fn(&AuditRecord) -> String,
    out: &mut impl Write,
) -> Result<(), Failure> {
    while limit > 0 {
        let page = app.audit.list(after, limit.min(PAGE_RECORDS)).await;
        let page = page.map_err(|error| Failure::Failed(format!("the trail can't be read: {error}")))?;
        let Some(last) = page.last() else { break };
        after = last.link.seq;
        limit -= page.len().min(limit);
        for record in &page {
            writeln!(out, "{}", render(record))?;
        }
    }
    Ok(out.flush()?)
}

async fn verify(app: &App, expected: Option<Head>) -> Result<(), Failure> {
    let outcome = app.audit.verify(expected.map(|head| head.0)).await;
    match outcome.map_err(|error| Failure::Failed(format!("the trail can't be read: {error}")))? {
        Ok(head) => say(format_args!("{} records, chain whole; head {}:{}", head.seq, head.seq, hex(&head.hash))),
        Err(VerifyError::Missing(seq)) => Err(Failure::FoundWrong(format!("record {seq} is missing"))),
        Err(VerifyError::Changed(seq)) => Err(Failure::FoundWrong(format!("record {seq} or its hash was changed"))),
        Err(VerifyError::Truncated { found, expected }) => {
            Err(Failure::FoundWrong(format!("the trail ends at record {found}; it had {expected}")))
        }
    }
}

/// A head as `audit verify` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head(Link);

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a head is NUMBER:HASH, the hash 64 hexadecimal digits".to_owned();
        let (seq, digits) = text.split_once(':').ok_or_else(wrong)?;
        let seq = seq.parse().map_err(|_| wrong())?;
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut hash = [0; 32];
        for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(Link { seq, hash }))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The record's text is put in as it is: it is canonical, and the hash is over these bytes.
fn json_line(record: &AuditRecord) -> String {
    format!("{{\"seq\":{},\"hash\":\"{}\",\"record\":{}}}", record.link.seq, hex(&record.link.hash), record.json)
}

fn text_line(record: &AuditRecord) -> String {
    let json: Value = serde_json::from_str(&record.json).unwrap_or_default();
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let outcome = json.get("errorCode").and_then(Value::as_str).unwrap_or("ok");
    let resources = json.get("resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let resources: Vec<_> = resources.iter().filter_map(|r| r.get("ARN").and_then(Value::as_str)).collect();
    format!(
        "{:>8}  {}  {:<32}  {}  {outcome}  {}",
        record.link.seq,
        text("/eventTime"),
        text("/eventName"),
        text("/userIdentity/arn"),
        resources.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> AuditRecord {
        let json = r#"{"eventName":"Decrypt","eventTime":"2026-11-25T12:00:00Z","errorCode":"DisabledException",
            "resources":[{"ARN":"arn:aws:kms:us-east-1:111122223333:key/k"}],
            "userIdentity":{"arn":"arn:aws:iam::111122223333:root"}}"#;
        AuditRecord { link: Link { seq: 7, hash: [0xab; 32] }, json: json.to_owned() }
    }

    #[test]
    fn lines() {
        assert_eq!(
            text_line(&record()),
            "       7  2026-11-25T12:00:00Z  Decrypt                           arn:aws:iam::111122223333:root  \
             DisabledException  arn:aws:kms:us-east-1:111122223333:key/k"
        );
        let line: Value = serde_json::from_str(&json_line(&record())).expect("valid JSON");
        assert_eq!(line["seq"], 7);
        assert_eq!(line["hash"], "ab".repeat(32));
        assert_eq!(line["record"]["eventName"], "Decrypt");
    }

    #[test]
    fn heads_read_back() {
        let head = format!("7:{}", hex(&[0xab; 32]));
        assert_eq!(head.parse(), Ok(Head(record().link)));
        for bad in ["", "7", "x:00", "7:ab", &format!("7:{}", "zz".repeat(32)), &format!("7:{}", "é".repeat(32))] {
            assert!(bad.parse::<Head>().is_err(), "{bad}");
        }
    }
}
