//! Conditions: an operator, a key, and the values to compare with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::context::Facts;
use super::document::Effect;
use super::key::NamedKey;
use super::pattern::{ArnPattern, BadVariable, Template, Variables, Wildcards, matches};
use super::value::{Cidr, Decimal, Value, parse_date};
use crate::sources::Timestamp;

/// What kind of values an operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Text,
    TextIgnoringCase,
    /// With wildcards.
    Like,
    Numeric,
    Date,
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// How the key's value has to stand to the operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    /// To none of the operands.
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator as documents name it, without prefix and suffix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) family: Family,
    pub(super) relation: Relation,
}

const fn operator(name: &'static str, family: Family, relation: Relation) -> Operator {
    Operator { name, family, relation }
}

/// Every operator that AWS documents. ArnEquals and ArnLike behave alike there, wildcards included.
const OPERATORS: [Operator; 27] = [
    operator("StringEquals", Family::Text, Relation::Equal),
    operator("StringNotEquals", Family::Text, Relation::NotEqual),
    operator("StringEqualsIgnoreCase", Family::TextIgnoringCase, Relation::Equal),
    operator("StringNotEqualsIgnoreCase", Family::TextIgnoringCase, Relation::NotEqual),
    operator("StringLike", Family::Like, Relation::Equal),
    operator("StringNotLike", Family::Like, Relation::NotEqual),
    operator("NumericEquals", Family::Numeric, Relation::Equal),
    operator("NumericNotEquals", Family::Numeric, Relation::NotEqual),
    operator("NumericLessThan", Family::Numeric, Relation::Less),
    operator("NumericLessThanEquals", Family::Numeric, Relation::LessOrEqual),
    operator("NumericGreaterThan", Family::Numeric, Relation::Greater),
    operator("NumericGreaterThanEquals", Family::Numeric, Relation::GreaterOrEqual),
    operator("DateEquals", Family::Date, Relation::Equal),
    operator("DateNotEquals", Family::Date, Relation::NotEqual),
    operator("DateLessThan", Family::Date, Relation::Less),
    operator("DateLessThanEquals", Family::Date, Relation::LessOrEqual),
    operator("DateGreaterThan", Family::Date, Relation::Greater),
    operator("DateGreaterThanEquals", Family::Date, Relation::GreaterOrEqual),
    operator("Bool", Family::Bool, Relation::Equal),
    operator("BinaryEquals", Family::Binary, Relation::Equal),
    operator("IpAddress", Family::Ip, Relation::Equal),
    operator("NotIpAddress", Family::Ip, Relation::NotEqual),
    operator("ArnEquals", Family::Arn, Relation::Equal),
    operator("ArnLike", Family::Arn, Relation::Equal),
    operator("ArnNotEquals", Family::Arn, Relation::NotEqual),
    operator("ArnNotLike", Family::Arn, Relation::NotEqual),
    operator("Null", Family::Null, Relation::Equal),
];

/// How an operator deals with several values of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// Not said: for keys with one value. If there are several, one has to match; of a negated operator, none may.
    Unsaid,
    /// `ForAllValues:`, true also if there is no value.
    All,
    /// `ForAnyValue:`
    Any,
}

/// One key of one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    operator: &'static Operator,
    quantifier: Quantifier,
    if_exists: bool,
    key: NamedKey,
    operands: Box<[Operand]>,
}

/// What a policy compares with, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Text(Template),
    Arn(ArnPattern),
    Number(Decimal, Box<str>),
    Date(Timestamp, Box<str>),
    Bytes(Box<[u8]>, Box<str>),
    Range(Cidr, Box<str>),
    Absent(bool, Box<str>),
}

/// A value that does not fit its operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadOperand;

impl From<BadVariable> for BadOperand {
    fn from(_: BadVariable) -> Self {
        Self
    }
}

/// Reads `ForAnyValue:StringLikeIfExists` and the like. None if there is no such operator: `Null` takes no `IfExists`.
pub(super) fn parse_operator(text: &str) -> Option<(&'static Operator, Quantifier, bool)> {
    let (quantifier, text) = match text.split_once(':') {
        None => (Quantifier::Unsaid, text),
        Some(("ForAllValues", text)) => (Quantifier::All, text),
        Some(("ForAnyValue", text)) => (Quantifier::Any, text),
        Some(_) => return None,
    };
    let (name, if_exists) = text.strip_suffix("IfExists").map_or((text, false), |name| (name, true));
    let operator = OPERATORS.iter().find(|operator| operator.name == name)?;
    (!if_exists || operator.family != Family::Null).then_some((operator, quantifier, if_exists))
}

impl Condition {
    pub(super) fn new(
        (operator, quantifier, if_exists): (&'static Operator, Quantifier, bool),
        key: &str,
        values: &[String],
        variables: Variables,
    ) -> Result<Self, BadOperand> {
        let operands = values.iter().map(|text| Operand::parse(operator.family, text, variables));
        let operands = operands.collect::<Result<Box<[_]>, _>>()?;
        // Compared with nothing, a negated operator would always hold.
        if operands.is_empty() {
            return Err(BadOperand);
        }
        Ok(Self { operator, quantifier, if_exists, key: NamedKey::new(key), operands })
    }

    /// The operator as documents name it.
    pub(super) fn operator_name(&self) -> String {
        let prefix = match self.quantifier {
            Quantifier::Unsaid => "",
            Quantifier::All => "ForAllValues:",
            Quantifier::Any => "ForAnyValue:",
        };
        format!("{prefix}{}{}", self.operator.name, if self.if_exists { "IfExists" } else { "" })
    }

    pub(super) fn key(&self) -> &NamedKey {
        &self.key
    }

    /// The keys that it is decided by: its own and those of the variables in its values.
    pub(super) fn keys(&self) -> impl Iterator<Item = &NamedKey> {
        let variables = self.operands.iter().filter_map(|operand| match operand {
            Operand::Text(template) => Some(template),
            Operand::Arn(pattern) => Some(pattern.template()),
            Operand::Number(..) | Operand::Date(..) | Operand::Bytes(..) | Operand::Range(..) | Operand::Absent(..) => {
                None
            }
        });
        std::iter::once(&self.key).chain(variables.flat_map(Template::variables))
    }

    pub(super) fn values(&self) -> impl ExactSizeIterator<Item = &str> {
        self.operands.iter().map(Operand::source)
    }

    /// Whether the key can have one of the listed values only: a positive operator that demands the key, with operands
    /// of which none leaves room. `0.0.0.0/0` and a text with a wildcard leave room.
    pub(super) fn pins_its_key(&self) -> bool {
        let demands = self.operator.relation == Relation::Equal
            && self.operator.family != Family::Null
            && !self.if_exists
            && self.quantifier != Quantifier::All;
        demands
            && self.operands.iter().all(|operand| match operand {
                Operand::Text(template) => template.is_literal(),
                Operand::Arn(pattern) => pattern.template().is_literal(),
                Operand::Range(range, _) => !range.is_broad(),
                Operand::Number(..) | Operand::Date(..) | Operand::Bytes(..) => true,
                Operand::Absent(..) => false,
            })
    }

    /// Whether one of the listed values is this, in whatever case.
    pub(super) fn names_value(&self, value: &str) -> bool {
        self.operands
            .iter()
            .any(|operand| matches!(operand, Operand::Text(template) if template.source().eq_ignore_ascii_case(value)))
    }

    /// Whether the condition holds. Where a comparison cannot be made (a variable without a value, a value of the
    /// wrong type) it counts as not matching, and in a negated condition of an Allow as not holding: what is not known
    /// never widens access.
    pub(super) fn holds(&self, facts: &Facts<'_>, effect: Effect) -> bool {
        let (mut values, mut all, mut any) = (0_u32, true, false);
        let negated = self.operator.relation == Relation::NotEqual;
        facts.each(&self.key, &mut |value| {
            values += 1;
            if self.operator.family != Family::Null {
                let admitted = self.admits(value, negated, facts, effect);
                all &= admitted;
                any |= admitted;
            }
        });
        if self.operator.family == Family::Null {
            return self.operands.iter().any(|operand| matches!(operand, Operand::Absent(a, _) if *a == (values == 0)));
        }
        match self.quantifier {
            _ if values == 0 && self.if_exists => true,
            Quantifier::Unsaid if values == 0 => negated,
            Quantifier::Unsaid if negated => all,
            Quantifier::All => all,
            Quantifier::Any | Quantifier::Unsaid => any,
        }
    }

    /// Whether one value of the key satisfies the operator against all its operands.
    fn admits(&self, value: Value<'_>, negated: bool, facts: &Facts<'_>, effect: Effect) -> bool {
        let mut unknown = false;
        for operand in &self.operands {
            match operand.compare(self.operator, value, facts) {
                Some(true) => return !negated,
                Some(false) => {}
                None => unknown = true,
            }
        }
        negated && (!unknown || effect == Effect::Deny)
    }
}

impl Operand {
    fn parse(family: Family, text: &str, variables: Variables) -> Result<Self, BadOperand> {
        let source = || Box::from(text);
        Ok(match family {
            Family::Text | Family::TextIgnoringCase => Self::Text(Template::parse(text, Wildcards::No, variables)?),
            Family::Like => Self::Text(Template::parse(text, Wildcards::Yes, variables)?),
            Family::Bool => {
                let template = Template::parse(text, Wildcards::No, variables)?;
                let boolean = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
                if template.is_literal() && !boolean {
                    return Err(BadOperand);
                }
                Self::Text(template)
            }
            Family::Arn => {
                let template = Template::parse(text, Wildcards::Yes, variables)?;
                // What is no ARN would never match: a Deny with a slip of the pen must not be taken for one in force.
                if template.is_literal() && !text.starts_with("arn:") {
                    return Err(BadOperand);
                }
                Self::Arn(ArnPattern::new(template))
            }
            Family::Numeric => Self::Number(Decimal::parse(text).ok_or(BadOperand)?, source()),
            Family::Date => Self::Date(parse_date(text).ok_or(BadOperand)?, source()),
            Family::Binary => Self::Bytes(BASE64.decode(text).map_err(|_| BadOperand)?.into(), source()),
            Family::Ip => Self::Range(Cidr::parse(text).ok_or(BadOperand)?, source()),
            Family::Null if text.eq_ignore_ascii_case("true") => Self::Absent(true, source()),
            Family::Null if text.eq_ignore_ascii_case("false") => Self::Absent(false, source()),
            Family::Null => return Err(BadOperand),
        })
    }

    fn source(&self) -> &str {
        match self {
            Self::Text(template) => template.source(),
            Self::Arn(pattern) => pattern.template().source(),
            Self::Number(_, source)
            | Self::Date(_, source)
            | Self::Bytes(_, source)
            | Self::Range(_, source)
            | Self::Absent(_, source) => source,
        }
    }

    /// Whether `value` stands to this operand as the operator says, a negation left out; none if that can't be told.
    fn compare(&self, operator: &Operator, value: Value<'_>, facts: &Facts<'_>) -> Option<bool> {
        match self {
            Self::Text(template) => facts
                .with_pattern(template, |pattern| {
                    value.with_text(|text| match operator.family {
                        Family::Like => matches(pattern, text.as_bytes()),
                        Family::Text => pattern == text.as_bytes(),
                        _ => pattern.eq_ignore_ascii_case(text.as_bytes()),
                    })
                })
                .flatten(),
            Self::Arn(pattern) => value.with_text(|text| pattern.matches(text, facts)).flatten(),
            Self::Number(operand, _) => Some(operator.relation.holds(&value.decimal()?, operand)),
            Self::Date(operand, _) => Some(operator.relation.holds(&value.time()?, operand)),
            Self::Bytes(operand, _) => Some(value.bytes()? == &**operand),
            Self::Range(range, _) => Some(range.contains(value.address()?)),
            Self::Absent(..) => None,
        }
    }
}

impl Relation {
    fn holds<T: Ord>(self, value: &T, operand: &T) -> bool {
        match self {
            Self::Equal | Self::NotEqual => value == operand,
            Self::Less => value < operand,
            Self::LessOrEqual => value <= operand,
            Self::Greater => value > operand,
            Self::GreaterOrEqual => value >= operand,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Family, OPERATORS, Quantifier, parse_operator};

    #[test]
    fn operators_are_read_and_named_alike() {
        for operator in &OPERATORS {
            for (prefix, quantifier) in
                [("", Quantifier::Unsaid), ("ForAllValues:", Quantifier::All), ("ForAnyValue:", Quantifier::Any)]
            {
                let plain = format!("{prefix}{}", operator.name);
                assert_eq!(parse_operator(&plain), Some((operator, quantifier, false)));
                let if_exists = (operator.family != Family::Null).then_some((operator, quantifier, true));
                assert_eq!(parse_operator(&format!("{plain}IfExists")), if_exists);
            }
        }
        for bad in ["", "IfExists", "stringEquals", "StringEqualsIfExistsIfExists", "ForSomeValues:Bool", "Bool:Null"] {
            assert_eq!(parse_operator(bad), None, "{bad}");
        }
    }
}
