//! The settings file: TOML, with unknown keys refused by position and nearest right name.

use std::path::Path;

use serde::de::value::Error as Probed;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use toml::de::{DeTable, DeValue};

use super::accounts::{RawAccessKey, RawAccount, RawUser};
use super::settings::Settings;
use super::targets::{NotificationTarget, ReplicationTarget};
use super::tokens::RawToken;
use super::{ConfigError, TlsFiles};
use crate::crypto::SecretBytes;

/// Reads a file that was named.
pub(super) fn load(path: &Path) -> Result<Settings, ConfigError> {
    parse(&read_text(path)?, &path.display().to_string())
}

/// The text of a settings file, secrets included.
pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    let wrong = |what: &dyn std::fmt::Display| ConfigError(format!("{}: {what}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    String::from_utf8(bytes).map_err(|error| wrong(&format_args!("not UTF-8: {}", error.utf8_error())))
}

/// Reads a file that may be absent.
pub(super) fn load_if_present(path: &Path) -> Result<Settings, ConfigError> {
    match path.try_exists() {
        Ok(false) => Ok(Settings::default()),
        Ok(true) => load(path),
        Err(error) => Err(ConfigError(format!("{}: {error}", path.display()))),
    }
}

/// Reads a file that may hold secrets.
pub(super) fn read_secret(path: &Path) -> Result<SecretBytes, ConfigError> {
    std::fs::read(path).map(SecretBytes::new).map_err(|error| ConfigError(format!("{}: {error}", path.display())))
}

/// Parses the text of a file; `shown` is its name in errors.
pub(super) fn parse(text: &str, shown: &str) -> Result<Settings, ConfigError> {
    // Without the excerpt that toml's own rendering shows: the line may hold a secret.
    let wrong = |error: &toml::de::Error| {
        ConfigError(format!("{}: {}", at(text, shown, error.span().map_or(0, |s| s.start)), error.message().trim()))
    };
    let document = DeTable::parse(text).map_err(|e| wrong(&e))?;
    check_keys(document.get_ref(), Level::Top, text, shown)?;
    toml::from_str(text).map_err(|e| wrong(&e))
}

/// A kind of table in the file.
#[derive(Clone, Copy)]
enum Level {
    Top,
    Tls,
    Account,
    User,
    AccessKey,
    Token,
    NotificationTarget,
    ReplicationTarget,
    /// Any key goes here; looked at later or by others.
    Open,
}

impl Level {
    fn keys(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Top => Some(field_names::<Settings>()),
            Self::Tls => Some(field_names::<TlsFiles>()),
            Self::Account => Some(field_names::<RawAccount>()),
            Self::User => Some(field_names::<RawUser>()),
            Self::AccessKey => Some(field_names::<RawAccessKey>()),
            Self::Token => Some(field_names::<RawToken>()),
            Self::NotificationTarget => Some(field_names::<NotificationTarget>()),
            Self::ReplicationTarget => Some(field_names::<ReplicationTarget>()),
            Self::Open => None,
        }
    }

    fn inside(self, key: &str) -> Self {
        match (self, key) {
            (Self::Top, "tls") => Self::Tls,
            (Self::Top, "account") => Self::Account,
            (Self::Top, "pkcs11") => Self::Token,
            (Self::Top, "notification_targets") => Self::NotificationTarget,
            (Self::Top, "replication_targets") => Self::ReplicationTarget,
            (Self::Account, "user") => Self::User,
            (Self::Account | Self::User, "access_keys") => Self::AccessKey,
            _ => Self::Open,
        }
    }
}

fn check_keys(table: &DeTable<'_>, level: Level, text: &str, shown: &str) -> Result<(), ConfigError> {
    let Some(known) = level.keys() else { return Ok(()) };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if !known.contains(&name) {
            let advice = match nearest(name, known) {
                Some(right) => format!("did you mean {right:?}?"),
                None => format!("known here are {}", known.join(", ")),
            };
            return Err(ConfigError(format!("{}: unknown key {name:?}; {advice}", at(text, shown, key.span().start))));
        }
        check_value(value.get_ref(), level.inside(name), text, shown)?;
    }
    Ok(())
}

fn check_value(value: &DeValue<'_>, level: Level, text: &str, shown: &str) -> Result<(), ConfigError> {
    match value {
        DeValue::Table(table) => check_keys(table, level, text, shown),
        DeValue::Array(values) => values.iter().try_for_each(|v| check_value(v.get_ref(), level, text, shown)),
        _ => Ok(()),
    }
}

/// The known name that a typing slip may have turned into `name`.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let distance = |right: &&str| strsim::damerau_levenshtein(&name, right);
    let best = known.iter().copied().min_by_key(distance)?;
    // Beyond a third of the name it is another word, not a slip.
    (distance(&best) <= best.len().div_ceil(3).max(2)).then_some(best)
}

/// `FILE:LINE:COLUMN`, counted from 1.
fn at(text: &str, shown: &str, byte: usize) -> String {
    let before = &text[..text.floor_char_boundary(byte)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{shown}:{line}:{column}")
}

/// The names of a struct's fields as its `Deserialize` sees them, so that no list of keys stands beside the struct.
pub(super) fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Probe<'a>(&'a mut &'static [&'static str]);

    impl<'de> serde::Deserializer<'de> for Probe<'_> {
        type Error = Probed;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Probed> {
            *self.0 = fields;
            Err(Probed::custom("names only"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Probed> {
            Err(Probed::custom("not a struct"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields: &'static [&'static str] = &[];
    let _names_only = T::deserialize(Probe(&mut fields));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match parse(text, "s.toml") {
            Ok(_) => panic!("{text} was accepted"),
            Err(error) => error.0,
        }
    }

    #[test]
    fn unknown_keys_name_place_and_right_name() {
        for (text, expected) in [
            ("lisen = \"x\"", "s.toml:1:1: unknown key \"lisen\"; did you mean \"listen\"?"),
            ("\n\n  data-dir = \"x\"", "s.toml:3:3: unknown key \"data-dir\"; did you mean \"data_dir\"?"),
            ("tls = { crt = \"a\", key = \"b\" }", "s.toml:1:9: unknown key \"crt\"; did you mean \"cert\"?"),
            ("[[tls]]\nkeys = \"b\"", "s.toml:2:1: unknown key \"keys\"; did you mean \"key\"?"),
            ("[[account]]\nmail = \"b\"", "s.toml:2:1: unknown key \"mail\"; did you mean \"email\"?"),
            ("[[pkcs11]]\nclusterid = 1", "s.toml:2:1: unknown key \"clusterid\"; did you mean \"cluster_id\"?"),
            ("[[account]]\nusers = []", "s.toml:2:1: unknown key \"users\"; did you mean \"user\"?"),
            ("[[account.user]]\npolicy = []", "s.toml:2:1: unknown key \"policy\"; did you mean \"policies\"?"),
            (
                "[[account]]\naccess_keys = [{ id = \"a\", sekret = \"TOPSECRET\" }]",
                "s.toml:2:28: unknown key \"sekret\"; did you mean \"secret\"?",
            ),
        ] {
            assert_eq!(refusal(text), expected);
        }
        assert!(refusal("colour = 1").contains("known here are data_dir, listen, "));
    }

    #[test]
    fn wrong_values_name_their_place_and_show_no_line() {
        for (text, place) in [
            ("listen = 9000", "s.toml:1:10: "),
            ("regions = \"us-east-1\"", "s.toml:1:11: "),
            ("\nheader_timeout = \"30\"", "s.toml:2:18: "),
            ("max_requests = -1", "s.toml:1:16: "),
            ("listen = ", "s.toml:1:"),
            ("listen = \"a\"\nlisten = \"b\"", "s.toml:"),
            ("object_ownership = \"Nobody\"", "s.toml:1:20: "),
            ("[[account]]\naccess_keys = [{ id = 1, secret = \"TOPSECRET\" }]", "s.toml:2:"),
        ] {
            let message = refusal(text);
            assert!(message.starts_with(place), "{message}");
            assert!(!message.contains("TOPSECRET"), "{message}");
        }
    }

    #[test]
    fn tls_is_one_table_or_several() {
        let one = parse("tls = { cert = \"a\", key = \"b\" }", "s").ok().and_then(|s| s.tls);
        assert_eq!(one.map(|t| t.len()), Some(1));
        let two = "[[tls]]\ncert = \"a\"\nkey = \"b\"\n[[tls]]\ncert = \"c\"\nkey = \"d\"";
        assert_eq!(parse(two, "s").ok().and_then(|s| s.tls).map(|t| t.len()), Some(2));
    }

    #[test]
    fn names_come_from_the_struct() {
        assert_eq!(field_names::<TlsFiles>(), ["cert", "key"]);
        assert!(field_names::<String>().is_empty());
    }
}
