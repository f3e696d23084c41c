//! Giving users a ready-made policy in the settings file: the one change that the program makes to it.
//!
//! Comments, order and blanks stay as they are. The new text is checked as `serve` would check it, and then takes the
//! place of the old one in one step.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, TableLike, Value};

use super::settings::AccountsSource;
use super::{ConfigError, SettingsArgs, file};
use crate::policy::ReadyMade;

/// A file that was changed, or needed no change, and what became of each user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The settings file.
    pub file: PathBuf,
    /// As many as were asked for, in that order.
    pub users: Vec<InstalledUser>,
}

/// What became of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledUser {
    /// The user's name.
    pub name: String,
    /// The account's id.
    pub account: String,
    /// Nothing was to do.
    pub had_it: bool,
    /// Further ready-made policies of the user: what one of them denies no other can allow.
    pub others: Vec<String>,
}

/// Gives `role` to `users`, all of them or none. `account` tells users of one name apart.
pub fn install_role(
    settings: SettingsArgs,
    role: &ReadyMade,
    users: &[String],
    account: Option<&str>,
) -> Result<Installed, ConfigError> {
    // What a link points to is replaced, not the link.
    let path = settings.file().canonicalize().map_err(|error| no_file(settings.file(), role, &error))?;
    let shown = path.display().to_string();
    let text = file::read_text(&path)?;
    check_source(settings.accounts_source(&file::parse(&text, &shown)?)?, role)?;
    let mut document: DocumentMut =
        text.parse().map_err(|_| ConfigError(format!("{shown}: the file can't be changed by this command")))?;
    let given = users.iter().map(|user| give(&mut document, role.name, user, account)).collect::<Result<Vec<_>, _>>();
    let given = given.map_err(|what| ConfigError(format!("{shown}: {what}")))?;
    let changed = document.to_string();
    settings.load_over(file::parse(&changed, &shown)?)?;
    if given.iter().any(|user| !user.had_it) {
        replace(&path, &changed).map_err(|error| not_written(&path, &error))?;
    }
    Ok(Installed { file: path, users: given })
}

fn no_file(path: &Path, role: &ReadyMade, error: &io::Error) -> ConfigError {
    let advice = match error.kind() {
        ErrorKind::NotFound => format!(
            ": users are listed in a settings file, and there is none yet; `strongroom roles print --toml {}` prints \
             the lines of one user, docs/configuration.md (Accounts) shows a whole file",
            role.word
        ),
        _ => String::new(),
    };
    ConfigError(format!("{}: {error}{advice}", path.display()))
}

fn check_source(source: AccountsSource, role: &ReadyMade) -> Result<(), ConfigError> {
    let place = match source {
        AccountsSource::Tables => return Ok(()),
        AccountsSource::Variable(_) => "STRONGROOM_ACCOUNTS".to_owned(),
        AccountsSource::File(path) => path.display().to_string(),
    };
    let name = role.name;
    Err(ConfigError(format!("the accounts are listed in {place}: add {name:?} to the policies of the user there")))
}

fn give(document: &mut DocumentMut, policy: &str, user: &str, account: Option<&str>) -> Result<InstalledUser, String> {
    let mut all = users(document);
    let names: Vec<String> = all.iter().map(|(_, table)| text(*table, "name").to_owned()).collect();
    all.retain(|(id, table)| text(*table, "name") == user && account.is_none_or(|account| account == id));
    let (account, table) = match (all.pop(), all.as_slice()) {
        (Some(one), []) => one,
        (Some((id, _)), [(other, _), ..]) => {
            return Err(format!("accounts {other} and {id} both have a user {user:?}: name one with --account"));
        }
        (None, _) if names.is_empty() => return Err("no user is listed in it".to_owned()),
        (None, _) => return Err(format!("there is no user {user:?}; there are {}", names.join(", "))),
    };
    let policies = table.entry("policies").or_insert_with(|| Item::Value(Value::Array(Array::new())));
    let policies = policies.as_array_mut().ok_or_else(|| format!("user {user:?}: policies is no list"))?;
    let ready_made = policies.iter().filter_map(Value::as_str).filter(|name| ReadyMade::is_named(name));
    let same = |name: &String| name == policy || ReadyMade::find(name).is_some_and(|named| named.name == policy);
    let (same, others): (Vec<_>, Vec<_>) = ready_made.map(str::to_owned).partition(same);
    let had_it = !same.is_empty();
    if !had_it {
        add(policies, policy);
    }
    Ok(InstalledUser { name: user.to_owned(), account, had_it, others })
}

/// The users of all accounts, each with the account's id, in the file's order.
fn users(document: &mut DocumentMut) -> Vec<(String, &mut dyn TableLike)> {
    let mut all = Vec::new();
    for account in tables(document.get_mut("account")) {
        let id = text(account, "id").to_owned();
        all.extend(tables(account.get_mut("user")).into_iter().map(|user| (id.clone(), user)));
    }
    all
}

/// The tables of an array, whether it is written as `[[headers]]` or in brackets.
fn tables(item: Option<&mut Item>) -> Vec<&mut dyn TableLike> {
    match item {
        Some(Item::ArrayOfTables(tables)) => tables.iter_mut().map(|table| table as &mut dyn TableLike).collect(),
        Some(Item::Value(Value::Array(values))) => {
            let tables = values.iter_mut().filter_map(Value::as_inline_table_mut);
            tables.map(|table| table as &mut dyn TableLike).collect()
        }
        _ => Vec::new(),
    }
}

fn text<'a>(table: &'a dyn TableLike, key: &str) -> &'a str {
    table.get(key).and_then(Item::as_str).unwrap_or_default()
}

/// Adds to a list in the way that the list is written: on the same line, or on one of its own.
fn add(list: &mut Array, policy: &str) {
    let mut new = Value::from(policy);
    let in_text = |raw: Option<&toml_edit::RawString>| raw.and_then(|raw| raw.as_str()).unwrap_or_default().to_owned();
    let trailing = in_text(Some(list.trailing()));
    if let Some(last) = list.len().checked_sub(1).and_then(|at| list.get_mut(at)) {
        // Behind the last value, and behind the comma if there is one.
        let tail = in_text(last.decor().suffix()) + &trailing;
        last.decor_mut().set_suffix("");
        let indent = in_text(last.decor().prefix()).rsplit_once('\n').map(|(_, indent)| format!("\n{indent}"));
        let indent = indent.unwrap_or_else(|| " ".to_owned());
        let end = tail.rfind('\n').map_or(tail.as_str(), |at| &tail[at..]);
        // A comment behind the last value stays with it.
        let comment = if tail.contains('#') { tail.trim_end() } else { "" };
        new.decor_mut().set_prefix(format!("{comment}{indent}"));
        match list.trailing_comma() {
            true => list.set_trailing(end),
            false => {
                new.decor_mut().set_suffix(end);
                list.set_trailing("");
            }
        }
    }
    list.push_formatted(new);
}

/// Puts `text` in the file's place, durable and whole or not at all. Mode and owner stay those of the file.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let old = path.metadata()?;
    let temporary = temporary(path);
    // That nobody else is at it follows from the name being free.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let mut fill = || {
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(old.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    fill().inspect_err(|_| {
        // The error that is told is the first one.
        let _left_behind = std::fs::remove_file(&temporary);
    })?;
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    File::open(directory)?.sync_all()
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn not_written(path: &Path, error: &io::Error) -> ConfigError {
    let temporary = temporary(path);
    let advice = match error.kind() {
        ErrorKind::AlreadyExists => {
            format!(
                ": {0} is there; another change is on its way, or was broken off: then remove it",
                temporary.display()
            )
        }
        ErrorKind::PermissionDenied => ": run the command as the user to whom file and directory belong".to_owned(),
        _ => String::new(),
    };
    ConfigError(format!("{} could not be changed: {error}{advice}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "strongroom:KeyUser";

    fn given(text: &str, user: &str, account: Option<&str>) -> Result<(String, InstalledUser), String> {
        let mut document: DocumentMut = text.parse().expect("TOML");
        let given = give(&mut document, ROLE, user, account)?;
        Ok((document.to_string(), given))
    }

    #[test]
    fn a_list_stays_as_it_is_written() {
        for (before, after) in [
            ("[]", r#"["strongroom:KeyUser"]"#),
            (r#"["a"]"#, r#"["a", "strongroom:KeyUser"]"#),
            (r#"[ "a" ]"#, r#"[ "a", "strongroom:KeyUser" ]"#),
            (r#"["a",]"#, r#"["a", "strongroom:KeyUser",]"#),
            ("['''{\n}''']", "['''{\n}''', \"strongroom:KeyUser\"]"),
            ("[\n    \"a\",\n    \"b\",\n]", "[\n    \"a\",\n    \"b\",\n    \"strongroom:KeyUser\",\n]"),
            ("[\n  \"a\"\n]", "[\n  \"a\",\n  \"strongroom:KeyUser\"\n]"),
            (
                "[ # one\n  \"a\", # two\n  \"b\", # three\n]",
                "[ # one\n  \"a\", # two\n  \"b\", # three\n  \"strongroom:KeyUser\",\n]",
            ),
            ("[\n  \"a\" # one\n]", "[\n  \"a\", # one\n  \"strongroom:KeyUser\"\n]"),
        ] {
            let file = |list: &str| {
                format!(
                    "# top\n[[account]]\nid = \"1\" # id\n[[account.user]]\nname = \"u\"\npolicies = {list} # end\n"
                )
            };
            let (text, user) = given(&file(before), "u", None).expect(before);
            assert_eq!(text, file(after));
            assert!(!user.had_it);
            // A second time nothing changes.
            let (again, user) = given(&text, "u", None).expect(before);
            assert_eq!((again, user.had_it), (text, true));
        }
    }

    #[test]
    fn every_way_to_write_users() {
        for (before, after) in [
            (
                "[[account]]\nid = \"1\"\n\n[[account.user]]\nname = \"u\"\n[[account.user.access_keys]]\nid = \"K\"\n",
                "[[account]]\nid = \"1\"\n\n[[account.user]]\nname = \"u\"\npolicies = [\"strongroom:KeyUser\"]\n\
                 [[account.user.access_keys]]\nid = \"K\"\n",
            ),
            (
                "[[account]]\nid = \"1\"\nuser = [{ name = \"v\" }, { name = \"u\" }]\n",
                "[[account]]\nid = \"1\"\nuser = [{ name = \"v\" }, { name = \"u\" , policies = \
                 [\"strongroom:KeyUser\"] }]\n",
            ),
            (
                "account = [{ id = \"1\", user = [{ name = \"u\", policies = [] }] }]\n",
                "account = [{ id = \"1\", user = [{ name = \"u\", policies = [\"strongroom:KeyUser\"] }] }]\n",
            ),
        ] {
            assert_eq!(given(before, "u", None).expect(before).0, after);
        }
    }

    #[test]
    fn who_is_meant_is_never_guessed() {
        let two = "[[account]]\nid = \"1\"\n[[account.user]]\nname = \"u\"\n[[account]]\nid = \"2\"\n[[account.user]]\n\
                   name = \"u\"\npolicies = [\"strongroom:Auditor\"]\n[[account.user]]\nname = \"v\"\n";
        let refusal = |user, account| given(two, user, account).expect_err("refused");
        assert_eq!(refusal("u", None), "accounts 1 and 2 both have a user \"u\": name one with --account");
        assert_eq!(refusal("w", None), "there is no user \"w\"; there are u, u, v");
        assert_eq!(refusal("v", Some("1")), "there is no user \"v\"; there are u, u, v");
        assert_eq!(given("listen = \"x\"", "u", None), Err("no user is listed in it".to_owned()));
        let (text, user) = given(two, "u", Some("2")).expect("one");
        assert_eq!(text, two.replace("Auditor\"]", "Auditor\", \"strongroom:KeyUser\"]"));
        assert_eq!((user.account.as_str(), user.others), ("2", vec!["strongroom:Auditor".to_owned()]));
        let by_arn = two.replace("strongroom:Auditor", "arn:aws:iam::aws:policy/KeyUser");
        let (text, user) = given(&by_arn, "u", Some("2")).expect("one");
        assert_eq!((text, user.had_it), (by_arn, true));
    }
}
