//! DecodeAuthorizationMessage. Denials here say in words what they follow from, and never hold an encoded message, so
//! that there is none that this server could have made.

use crate::iam::cx::Cx;
use crate::iam::error::{IamError, code};
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::STS_ENCODED_MESSAGE;

pub(in crate::iam) struct Input;

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        fields.required_secret("EncodedMessage", &STS_ENCODED_MESSAGE);
        Self
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, _: Input) -> Result<Reply, IamError> {
    cx.grant("*")?;
    Err(IamError::new(code::INVALID_AUTHORIZATION_MESSAGE, "Message is not valid"))
}
