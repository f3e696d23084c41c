//! The binary's command line: settings from all their places, exit codes, manual pages, completions.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// The binary with a clean environment, in an empty directory.
fn strongroom(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.current_dir(dir).args(arguments).env_clear().envs(variables.iter().copied());
    command.output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `config print` says in a directory whose `strongroom.toml` is `file`.
fn printed(file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> toml::Table {
    let dir = tempfile::tempdir().expect("a directory");
    if !file.is_empty() {
        std::fs::write(dir.path().join("strongroom.toml"), file).expect("written");
    }
    let arguments = [&["config", "print", "--redacted"], arguments].concat();
    let output = strongroom(dir.path(), &arguments, variables);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).parse().expect("TOML")
}

fn refused(file: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("strongroom.toml"), file).expect("written");
    let output = strongroom(dir.path(), &[&["config", "check"], arguments].concat(), variables);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn the_example_works_as_it_stands() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/config/issue.toml");
    let settings = printed("", &["--config", file], &[]);
    assert_eq!(settings["data_dir"].as_str(), Some("./data"));
    assert_eq!(settings["regions"], toml::Value::from(vec!["us-east-1", "us-west-2"]));
    assert_eq!(settings["store"].as_str(), Some("file:///srv/blobs"));
    assert_eq!(settings["root_key_file"].as_str(), Some("./data/root.key"));
    let account = &settings["account"][0];
    assert_eq!(account["canonical_id"].as_str(), Some("a1".repeat(32).as_str()));
    assert_eq!(account["access_keys"][0]["id"].as_str(), Some("MAINACCESSKEY0000000"));
    assert_eq!(account["user"][0]["name"].as_str(), Some("alice"));
    assert!(!settings.to_string().contains("0123456789"), "{settings}");
}

#[test]
fn the_manuals_example_is_right() {
    let manual = include_str!("../../docs/configuration.md");
    let example = manual.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let dir = tempfile::tempdir().expect("a directory");
    let secret = dir.path().join("alice");
    std::fs::write(&secret, "a-secret-in-a-file").expect("written");
    let example = example.replace("/run/secrets/alice", &secret.display().to_string());
    assert_eq!(printed(&example, &[], &[])["account"][0]["id"].as_str(), Some("111122223333"));
}

#[test]
fn flag_over_variable_over_file_over_default() {
    let file = "max_requests = 3\nregions = [\"r-file\"]";
    let variable = [("STRONGROOM_MAX_REQUESTS", "4"), ("STRONGROOM_REGIONS", "r-one,r-two")];
    let count = |settings: &toml::Table| settings["max_requests"].as_integer();
    assert_eq!(count(&printed("", &[], &[])), Some(1024));
    assert_eq!(count(&printed(file, &[], &[])), Some(3));
    let settings = printed(file, &[], &variable);
    assert_eq!(count(&settings), Some(4));
    assert_eq!(settings["regions"], toml::Value::from(vec!["r-one", "r-two"]));
    let settings = printed(file, &["--max-requests", "5", "--regions", "r-flag"], &variable);
    assert_eq!(count(&settings), Some(5));
    assert_eq!(settings["regions"], toml::Value::from(vec!["r-flag"]));
    // A flag that says what the default says still stands over the file.
    assert_eq!(count(&printed(file, &["--max-requests", "1024"], &[])), Some(1024));
}

/// Each setting as flag, variable and file, with a value that is not the default.
const EVERYWHERE: [(&str, &str, &str); 47] = [
    ("data_dir", "/d", "\"/d\""),
    ("listen", "127.0.0.1:1", "\"127.0.0.1:1\""),
    ("metrics_listen", "127.0.0.1:2", "\"127.0.0.1:2\""),
    ("regions", "eu-central-1", "[\"eu-central-1\"]"),
    ("domains", "S3.example.com", "[\"S3.example.com\"]"),
    ("website_domains", "Web.example.com", "[\"Web.example.com\"]"),
    ("store", "memory://", "\"memory://\""),
    ("object_ownership", "ObjectWriter", "\"ObjectWriter\""),
    ("block_public_access", "false", "false"),
    ("tls", "c.pem,k.pem", "{ cert = \"c.pem\", key = \"k.pem\" }"),
    ("trusted_proxies", "10.0.0.0/8", "[\"10.0.0.0/8\"]"),
    ("presigned_v2", "true", "true"),
    ("signature_v2", "true", "true"),
    ("max_requests", "7", "7"),
    ("max_connections", "7", "7"),
    ("header_timeout", "7s", "\"7s\""),
    ("body_idle_timeout", "7s", "\"7s\""),
    ("write_stall_timeout", "7s", "\"7s\""),
    ("client_min_rate", "7", "7"),
    ("keep_alive_timeout", "7s", "\"7s\""),
    ("drain_timeout", "7s", "\"7s\""),
    ("sweep_interval", "7s", "\"7s\""),
    ("lifecycle_interval", "7s", "\"7s\""),
    ("access_log_interval", "7s", "\"7s\""),
    ("lifecycle_days_ahead", "7", "7"),
    ("root_key_file", "/r", "\"/r\""),
    ("root_credential", "c", "\"c\""),
    ("root_token_module", "/m", "\"/m\""),
    ("root_token_label", "l", "\"l\""),
    ("root_token_pin_file", "/p", "\"/p\""),
    ("root_kms_endpoint", "https://k", "\"https://k\""),
    ("root_kms_region", "r", "\"r\""),
    ("root_kms_credentials_file", "/c", "\"/c\""),
    ("root_kms_ca_file", "/a", "\"/a\""),
    ("xks_ca_file", "/x", "\"/x\""),
    ("xks_port", "7", "7"),
    ("xks_timeout", "7s", "\"7s\""),
    ("oidc_ca_file", "/o", "\"/o\""),
    ("oidc_hosts", "idp.example.com", "[\"idp.example.com\"]"),
    ("log_json", "true", "true"),
    ("log_filter", "debug", "\"debug\""),
    ("allow_dumps", "true", "true"),
    ("store_options", "aws_region=r", "{ aws_region = \"r\" }"),
    ("accounts_file", "ACCOUNTS", "\"ACCOUNTS\""),
    (
        "pkcs11",
        r#"[{"cluster_id": "cluster-abcdefghijk", "module": "/m", "label": "l"}]"#,
        "[{ cluster_id = \"cluster-abcdefghijk\", module = \"/m\", label = \"l\" }]",
    ),
    (
        "notification_targets",
        r#"[{"arn": "arn:aws:sqs:us-east-1:111122223333:q", "url": "https://h/p", "token_file": "/t"}]"#,
        r#"[{ arn = "arn:aws:sqs:us-east-1:111122223333:q", url = "https://h/p", token_file = "/t" }]"#,
    ),
    (
        "replication_targets",
        r#"[{"bucket": "arn:aws:s3:::bucket", "accounts": ["111122223333"], "endpoint": "https://h", "region": "us-east-1", "access_key_id": "A", "secret_access_key_file": "/s"}]"#,
        r#"[{ bucket = "arn:aws:s3:::bucket", accounts = ["111122223333"], endpoint = "https://h", region = "us-east-1", access_key_id = "A", secret_access_key_file = "/s" }]"#,
    ),
];

/// What a setting needs beside it.
fn companions(key: &str) -> &'static [&'static str] {
    match key {
        "store_options" => &["--store", "s3://b"],
        "root_token_module" => &["--root-token-pin-file", "/x"],
        "root_token_pin_file" => &["--root-token-module", "/x"],
        "root_token_label" => &["--root-token-module", "/x", "--root-token-pin-file", "/x"],
        "root_kms_endpoint" => &["--root-kms-credentials-file", "/x"],
        "root_kms_credentials_file" => &["--root-kms-endpoint", "https://x"],
        "root_kms_region" | "root_kms_ca_file" => {
            &["--root-kms-endpoint", "https://x", "--root-kms-credentials-file", "/x"]
        }
        _ => &[],
    }
}

#[test]
fn every_setting_means_the_same_everywhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let accounts = dir.path().join("accounts.json");
    std::fs::write(&accounts, r#"[{"id": "111122223333"}]"#).expect("written");
    let accounts = accounts.display().to_string();
    let default = printed("", &[], &[]);
    for (key, value, in_file) in EVERYWHERE {
        let (value, in_file) = (value.replace("ACCOUNTS", &accounts), in_file.replace("ACCOUNTS", &accounts));
        let store = companions(key);
        let flag = format!("--{}={value}", key.replace('_', "-"));
        let variable = format!("STRONGROOM_{}", key.to_uppercase());
        let by_flag = printed("", &[store, &[&flag]].concat(), &[]);
        let by_variable = printed("", store, &[(&variable, &value)]);
        let by_file = printed(&format!("{key} = {in_file}"), store, &[]);
        assert_ne!(by_flag, default, "{key}");
        // Shown by name: the companions alone would make a difference too.
        assert!(by_flag.contains_key(key) || matches!(key, "accounts_file"), "{key}");
        assert_eq!(by_flag, by_variable, "{key}");
        assert_eq!(by_flag, by_file, "{key}");
    }
    let reference = strongroom(dir.path(), &["config", "reference"], &[]);
    let reference = text(&reference.stdout);
    let keys = reference.lines().filter_map(|row| row.strip_prefix("| `")?.split_once('`'));
    let keys: BTreeSet<_> = keys.map(|(key, _)| key).collect();
    assert_eq!(keys, EVERYWHERE.iter().map(|(key, ..)| *key).collect());
    // Accounts have a variable of their own.
    assert!(default.keys().all(|key| key == "account" || keys.contains(key.as_str())), "{default}");
}

#[test]
fn accounts_come_from_one_place() {
    let json = r#"[{"id": "444455556666", "access_keys": [{"id": "K", "secret": "variable-secret"}]}]"#;
    let file = "[[account]]\nid = \"111122223333\"";
    let settings = printed(file, &[], &[("STRONGROOM_ACCOUNTS", json)]);
    assert_eq!(settings["account"].as_array().map(Vec::len), Some(1));
    assert_eq!(settings["account"][0]["id"].as_str(), Some("444455556666"));
    assert!(!settings.to_string().contains("variable-secret"));
    assert!(refused("accounts_file = \"a\"\n[[account]]\nid = \"111122223333\"", &[], &[]).contains("not both"));
}

#[test]
fn upstream_credentials_may_come_from_the_usual_variables() {
    let aws = [("AWS_ACCESS_KEY_ID", "upstream"), ("AWS_SECRET_ACCESS_KEY", "upstream-secret"), ("AWS_PAGER", "")];
    let settings = printed("store = \"s3://bucket/prefix\"", &[], &aws);
    let options = settings["store_options"].as_table().expect("options");
    assert_eq!(options.keys().collect::<Vec<_>>(), ["aws_access_key_id", "aws_secret_access_key"]);
    assert!(!settings.to_string().contains("upstream"), "{settings}");
    assert!(!printed("", &[], &aws).contains_key("store_options"));
}

/// A settings file as people write them.
const USERS: &str = r#"# kept by the platform team
listen = "127.0.0.1:9000"   # one port

[[account]]
id = "111122223333"
[[account.user]]
name = "alice"              # payroll
access_keys = [{ id = "ALICE", secret = "alice-secret" }]
policies = [
    '''{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}''', # all objects
]
[[account.user]]
name = "bob"
"#;

#[test]
fn a_role_is_installed_with_one_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let (real, link) = (dir.path().join("real.toml"), dir.path().join("strongroom.toml"));
    std::fs::write(&real, USERS).expect("written");
    std::fs::set_permissions(&real, Permissions::from_mode(0o640)).expect("a mode");
    std::os::unix::fs::symlink("real.toml", &link).expect("a link");
    let install = |arguments: &[&str]| {
        let output = strongroom(dir.path(), &[&["roles", "install"], arguments].concat(), &[]);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let file = || std::fs::read_to_string(&link).expect("the file");

    let (code, said, _) = install(&["key-user", "--user", "alice", "--user", "bob"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("alice of account 111122223333 now has the role strongroom:KeyUser\nbob of"), "{said}");
    assert!(said.contains("real.toml is changed; a server reads it when it starts: restart it"), "{said}");
    let changed = USERS
        .replace("# all objects\n]", "# all objects\n    \"strongroom:KeyUser\",\n]")
        .replace("name = \"bob\"\n", "name = \"bob\"\npolicies = [\"strongroom:KeyUser\"]\n");
    assert_eq!(file(), changed);
    // In the place of the file, not of the link, for the same people to read, and nothing is left beside it.
    assert!(link.symlink_metadata().expect("the link").is_symlink());
    assert_eq!(real.metadata().expect("the file").permissions().mode() & 0o7777, 0o640);
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 2);
    assert_eq!(printed(&file(), &[], &[])["account"][0]["user"][1]["policies"][0].as_str(), Some("strongroom:KeyUser"));

    let (code, said, _) = install(&["strongroom:KeyUser", "--user", "alice"]);
    assert!(code == Some(0) && said.contains("alice of account 111122223333 has had the role"), "{said}");
    assert!(said.contains("real.toml is as it was") && file() == changed, "{said}");
    let (code, _, note) = install(&["auditor", "--user", "bob"]);
    assert!(code == Some(0) && note.contains("bob has strongroom:KeyUser too"), "{note}");
}

#[test]
fn a_role_that_can_not_be_installed_changes_nothing() {
    let accounts = [("STRONGROOM_ACCOUNTS", r#"[{"id": "111122223333"}]"#)];
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("strongroom.toml");
    let wrong = format!("lissten = \"x\"\n{USERS}");
    let unusable = format!("regions = []\n{USERS}");
    for (before, user, variables, expected) in [
        (USERS, "carol", &[][..], "there is no user \"carol\"; there are alice, bob"),
        (USERS, "alice", &accounts[..], "the accounts are listed in STRONGROOM_ACCOUNTS: add \"strongroom:KeyUser\""),
        ("accounts_file = \"a.json\"", "alice", &[], "the accounts are listed in a.json: add \"strongroom:KeyUser\""),
        ("", "alice", &[], "no user is listed in it"),
        // As `config check` says it.
        (&wrong, "alice", &[], "strongroom.toml:1:1: unknown key \"lissten\"; did you mean \"listen\"?"),
        (&unusable, "alice", &[], "regions: list at least one Region"),
    ] {
        std::fs::write(&file, before).expect("written");
        let arguments = ["roles", "install", "key-user", "--user", "bob", "--user", user];
        let output = strongroom(dir.path(), &arguments, variables);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        let message = text(&output.stderr);
        assert!(message.contains(expected), "{message}");
        assert_eq!(std::fs::read_to_string(&file).expect("the file"), before);
    }
    // Another change is on its way.
    std::fs::write(&file, USERS).expect("written");
    std::fs::write(dir.path().join("strongroom.toml.new"), "").expect("written");
    let install = ["roles", "install", "key-user", "--user", "alice"];
    let message = text(&strongroom(dir.path(), &install, &[]).stderr);
    assert!(message.contains("strongroom.toml.new is there; another change is on its way"), "{message}");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), USERS);
    // There is no file at all.
    let empty = tempfile::tempdir().expect("a directory");
    let message = text(&strongroom(empty.path(), &install, &[]).stderr);
    assert!(message.contains("there is none yet; `strongroom roles print --toml key-user` prints"), "{message}");
}

#[test]
fn wrong_settings_are_refused_with_place_and_advice() {
    for (file, arguments, expected) in [
        ("lissten = \"x\"", &[][..], "strongroom.toml:1:1: unknown key \"lissten\"; did you mean \"listen\"?"),
        ("regions = []", &[], "regions: list at least one Region"),
        ("regions = [\"Mars One\"]", &[], "\"Mars One\" is no Region name"),
        ("domains = [\"*.example.com\"]", &[], "is no host name"),
        ("domains = [\"127.0.0.1\"]", &[], "is no host name"),
        ("store = \"ftp://x\"", &[], "is no known kind of store"),
        ("max_requests = 0", &[], "max_requests = 0: give 1 to"),
        ("log_filter = \"loudly=very\"", &[], "log_filter"),
        ("metrics_listen = \"127.0.0.1:9000\"", &[], "metrics need one of their own"),
        ("", &["--config", "absent.toml"], "absent.toml: No such file"),
        ("", &["--header-timeout", "7"], "is no length of time"),
        ("", &["--lisen", "x"], "--listen"),
        ("", &["--tls", "cert.pem"], "CERT,KEY"),
        ("", &["--pkcs11", "cluster-abcdefghijk"], "give a JSON array as [[pkcs11]] has it"),
        ("", &["--pkcs11", r#"[{"cluster_id": "hsm", "module": "/m"}]"#], "pkcs11 \"hsm\": cluster_id is cluster- and"),
        ("", &["--pkcs11", r#"[{"cluster": "hsm"}]"#], "unknown field `cluster`"),
        ("[[notification_targets]]\narm = \"a\"", &[], "unknown key \"arm\"; did you mean \"arn\"?"),
        (
            "[[replication_targets]]\nbucket = \"arn:aws:s3:::bucket\"\nendpoint = \"https://h\"\nregion = \"us-east-1\"\n\
             access_key_id = \"A\"\nsecret_access_key_file = \"/s\"",
            &[],
            "accounts is missing: list the accounts",
        ),
        ("[[replication_targets]]\nbuckets = \"a\"", &[], "unknown key \"buckets\"; did you mean \"bucket\"?"),
    ] {
        let message = refused(file, arguments, &[]);
        assert!(message.contains(expected), "{message}");
    }
    assert!(refused("", &[], &[("STRONGROOM_LISTEN", "here")]).contains("--listen"));
}

#[test]
fn help_version_manual_and_completions() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |arguments: &[&str]| {
        let output = strongroom(dir.path(), arguments, &[]);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(run(&["--version"]), format!("strongroom {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(&["--help"]);
    for command in ["serve", "credentials", "audit", "config", "completions", "man", "Exit codes"] {
        assert!(help.contains(command), "{command}");
    }
    assert!(run(&["serve", "--help"]).contains("STRONGROOM_BODY_IDLE_TIMEOUT"));
    assert!(run(&["credentials"]).contains("strongroom credentials new"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(&["completions", shell]).contains("credentials"), "{shell}");
    }
    assert!(run(&["man"]).contains(".TH strongroom 1"));
    run(&["man", "--dir", "."]);
    assert!(dir.path().join("strongroom-audit-verify.1").exists());
}

#[test]
fn commands_on_a_stopped_server_make_no_new_one() {
    let dir = tempfile::tempdir().expect("a directory");
    for command in [&["audit", "list"][..], &["audit", "verify"], &["credentials", "new"]] {
        let output = strongroom(dir.path(), command, &[]);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(text(&output.stderr).contains("is no data directory"), "{}", text(&output.stderr));
    }
    assert!(!dir.path().join("strongroom-data").exists());
}
