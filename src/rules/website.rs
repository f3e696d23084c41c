//! A bucket as a static website: its documents, its redirects, and which of them a request meets (S3 User Guide,
//! "Hosting a static website").

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};

/// Routing rules of a website, at most.
pub const RULES_MAX: usize = 50;

/// The scheme of a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Protocol {
    /// `http`
    #[n(0)]
    Http,
    /// `https`
    #[n(1)]
    Https,
}

impl Protocol {
    /// As URLs name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Where every request goes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RedirectAll {
    /// To which host.
    #[n(0)]
    pub host: String,
    /// By which scheme; none: that of the request.
    #[n(1)]
    pub protocol: Option<Protocol>,
}

/// What a routing rule does to the key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Replace {
    /// The whole key becomes this.
    #[n(0)]
    Key(#[n(0)] String),
    /// The prefix that the rule is about becomes this.
    #[n(1)]
    Prefix(#[n(0)] String),
}

/// A rule that sends requests elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RoutingRule {
    /// Of keys that begin so.
    #[n(0)]
    pub prefix: Option<String>,
    /// Of what would be answered with this status.
    #[n(1)]
    pub error: Option<u16>,
    /// To another host.
    #[n(2)]
    pub host: Option<String>,
    /// With this status; none: 301.
    #[n(3)]
    pub status: Option<u16>,
    /// By another scheme.
    #[n(4)]
    pub protocol: Option<Protocol>,
    /// To another key.
    #[n(5)]
    pub replace: Option<Replace>,
}

/// A website.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Website {
    /// What stands for a key that ends in `/`; none only with `redirect_all`.
    #[n(0)]
    pub index: Option<String>,
    /// The key of what is shown with an error.
    #[n(1)]
    pub error: Option<String>,
    /// Where everything goes instead.
    #[n(2)]
    pub redirect_all: Option<RedirectAll>,
    /// Rules, in order.
    #[n(3)]
    pub rules: Vec<RoutingRule>,
}

impl BucketConfiguration for Website {
    const KIND: ConfigurationKind = ConfigurationKind::Website;
    const ACTIONS: &'static [&'static str] = &["s3:PutBucketWebsite", "s3:DeleteBucketWebsite"];
}

/// The status of a redirect that names none.
const MOVED_PERMANENTLY: u16 = 301;

/// A redirect: its status, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// 301 to 308.
    pub status: u16,
    /// Scheme; none: that of the request.
    pub protocol: Option<Protocol>,
    /// Host; none: that of the request.
    pub host: Option<String>,
    /// The key there.
    pub key: String,
}

impl Website {
    /// The key of the object that is shown for `key`.
    pub fn document(&self, key: &str) -> String {
        match &self.index {
            Some(index) if key.is_empty() || key.ends_with('/') => format!("{key}{index}"),
            _ => key.to_owned(),
        }
    }

    /// Where a request for `key` goes whatever is there.
    pub fn redirect_before(&self, key: &str) -> Option<Redirect> {
        if let Some(all) = &self.redirect_all {
            let (protocol, host) = (all.protocol, Some(all.host.clone()));
            return Some(Redirect { status: MOVED_PERMANENTLY, protocol, host, key: key.to_owned() });
        }
        self.rules.iter().find(|rule| rule.error.is_none() && rule.is_about(key)).map(|rule| rule.redirect(key))
    }

    /// Where a request for `key` goes that would be answered with the error `status`.
    pub fn redirect_after(&self, key: &str, status: u16) -> Option<Redirect> {
        let rule = self.rules.iter().find(|rule| rule.error == Some(status) && rule.is_about(key))?;
        Some(rule.redirect(key))
    }
}

impl RoutingRule {
    fn is_about(&self, key: &str) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()))
    }

    fn redirect(&self, key: &str) -> Redirect {
        let rest = key.strip_prefix(self.prefix.as_deref().unwrap_or_default()).unwrap_or(key);
        let key = match &self.replace {
            None => key.to_owned(),
            Some(Replace::Key(other)) => other.clone(),
            Some(Replace::Prefix(prefix)) => format!("{prefix}{rest}"),
        };
        let status = self.status.unwrap_or(MOVED_PERMANENTLY);
        Redirect { status, protocol: self.protocol, host: self.host.clone(), key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: Option<&str>, error: Option<u16>, replace: Option<Replace>) -> RoutingRule {
        let prefix = prefix.map(str::to_owned);
        RoutingRule { prefix, error, host: None, status: None, protocol: None, replace }
    }

    fn website(rules: Vec<RoutingRule>) -> Website {
        Website { index: Some("index.html".to_owned()), error: None, redirect_all: None, rules }
    }

    #[test]
    fn documents_of_keys() {
        let site = website(Vec::new());
        for (key, document) in [
            ("", "index.html"),
            ("a", "a"),
            ("a/", "a/index.html"),
            ("a//", "a//index.html"),
            ("/", "/index.html"),
            ("index.html", "index.html"),
        ] {
            assert_eq!(site.document(key), document);
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let key = |name: &str| Some(Replace::Key(name.to_owned()));
        let site = website(vec![
            rule(Some("docs/"), None, Some(Replace::Prefix("documents/".to_owned()))),
            rule(Some("docs/old"), None, key("never")),
            rule(Some("images/"), Some(404), key("no-image.png")),
            rule(None, Some(404), Some(Replace::Prefix("report/".to_owned()))),
            rule(Some("gone/"), None, None),
        ]);
        let before = |key: &str| site.redirect_before(key).map(|to| to.key);
        assert_eq!(before("docs/a").as_deref(), Some("documents/a"));
        assert_eq!(before("docs/old").as_deref(), Some("documents/old"));
        assert_eq!(before("images/a"), None);
        assert_eq!(before("gone/a").as_deref(), Some("gone/a"));
        let after = |key: &str, status| site.redirect_after(key, status).map(|to| to.key);
        assert_eq!(after("images/a", 404).as_deref(), Some("no-image.png"));
        assert_eq!(after("a", 404).as_deref(), Some("report/a"));
        assert_eq!(after("a", 403), None);
    }

    #[test]
    fn a_rule_without_condition_takes_everything() {
        let all = RoutingRule {
            host: Some("other.example.com".to_owned()),
            status: Some(307),
            protocol: Some(Protocol::Https),
            ..rule(None, None, None)
        };
        let to = website(vec![all]).redirect_before("a/b").unwrap();
        assert_eq!((to.status, to.host.as_deref(), to.key.as_str()), (307, Some("other.example.com"), "a/b"));
    }

    #[test]
    fn where_everything_goes_elsewhere_no_rule_is_asked() {
        let all = RedirectAll { host: "example.com".to_owned(), protocol: None };
        let site = Website { index: None, error: None, redirect_all: Some(all), rules: Vec::new() };
        let to = site.redirect_before("a/").unwrap();
        assert_eq!((to.status, to.host.as_deref(), to.key.as_str()), (301, Some("example.com"), "a/"));
    }
}
