//! The structure of the source, held by a test: layers, sizes, who may name a cryptographic crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// The layers, top to bottom. A module uses modules of lower rows only, and of its own row only itself.
const LAYERS: [&[&str]; 14] = [
    &["cli"],
    &["server"],
    &["s3", "kms", "iam"],
    &["app"],
    &["objects"],
    &["sse", "identity"],
    &["keyring"],
    &["audit"],
    &["auth"],
    &["index", "store"],
    &["config"],
    &["client"],
    &["policy", "sigv4", "wire", "rules"],
    &["crypto", "names", "sources", "golden"],
];

const CRYPTO_CRATES: [&str; 14] = [
    "aws_lc_rs",
    "aes_gcm",
    "argon2",
    "cryptoki",
    "ed25519_dalek",
    "ml_dsa",
    "ml_kem",
    "sha2",
    "sha1",
    "hmac",
    "md5",
    "crc_fast",
    "xxhash_rust",
    "subtle",
];

fn source_files() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                out.push((path, text));
            }
        }
    }
    let mut out = Vec::new();
    walk(Path::new("src"), &mut out);
    walk(Path::new("tests"), &mut out);
    out
}

fn module_of(path: &Path) -> Option<String> {
    let mut parts = path.strip_prefix("src").ok()?.components();
    let first = parts.next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned()).filter(|m| m != "lib" && m != "main")
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// Modules of this crate that a line names.
fn used_modules(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut out = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + 7..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split([',', '}']).collect(),
            None => vec![rest],
        };
        for name in names {
            let end =
                name.trim().find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or_else(|| name.trim().len());
            out.push(name.trim()[..end].to_owned());
        }
    }
    out
}

#[test]
fn every_module_uses_lower_layers_only() {
    let mut wrong = Vec::new();
    for (path, text) in source_files() {
        let Some(module) = module_of(&path) else { continue };
        let Some(own) = layer(&module) else {
            wrong.push(format!("{}: module {module} has no layer", path.display()));
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for used in used_modules(line).into_iter().filter(|used| *used != module) {
                // Names and sources hold each other up at the very bottom; so do policies, signatures and the wire.
                let allowed = layer(&used).is_none_or(|l| l > own || (l == own && own >= LAYERS.len() - 2));
                if !allowed {
                    wrong.push(format!("{}:{}: {module} uses {used}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "layer order:\n{}", wrong.join("\n"));
}

#[test]
fn only_crypto_names_a_cryptographic_crate() {
    let mut wrong = Vec::new();
    for (path, text) in source_files() {
        let Some(module) = module_of(&path).filter(|m| m != "crypto") else { continue };
        // rustls is given its provider in `server`.
        if module == "server" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if CRYPTO_CRATES
                .iter()
                .any(|name| code.contains(&format!("{name}::")) && !code.contains(&format!("::{name}::")))
            {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "cryptographic crates outside crypto/:\n{}", wrong.join("\n"));
}

#[test]
fn files_and_functions_stay_small() {
    let mut wrong = Vec::new();
    for (path, text) in source_files() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
        for (name, at, length) in functions(&text) {
            if length > FUNCTION_LINES_MAX {
                wrong.push(format!("{}:{at}: fn {name} has {length} lines", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "too long:\n{}", wrong.join("\n"));
}

/// Functions by indentation, which rustfmt guarantees: from `fn` to the closing brace at the same indentation.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let mut open: BTreeMap<usize, (String, usize)> = BTreeMap::new();
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        let closes = code.starts_with('}') && line.trim_end().ends_with('}');
        if let Some((name, start)) = closes.then(|| open.remove(&indent)).flatten() {
            out.push((name, start + 1, number - start + 1));
        }
        let signature = code.split('(').next().unwrap_or_default();
        let name = signature.split_whitespace().skip_while(|word| *word != "fn").nth(1);
        // A function that a macro writes (`fn $name`) has no closing brace at its own indentation.
        let name = name.filter(|name| !name.starts_with('$'));
        if let Some(name) = name.filter(|_| !code.starts_with("//") && !line.trim_end().ends_with([';', '}'])) {
            open.insert(indent, (name.to_owned(), number));
        }
    }
    out
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = ["todo!(", "unimplemented!(", "FIXME", "XXX", "#[ignore"];
    let own = Path::new("tests/it/tidy.rs");
    let mut wrong = Vec::new();
    for (path, text) in source_files().into_iter().filter(|(path, _)| path != own) {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "left unfinished:\n{}", wrong.join("\n"));
}
