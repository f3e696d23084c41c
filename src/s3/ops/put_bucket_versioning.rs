//! PutBucketVersioning.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::objects::Versioning;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::{Response, xml};

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let versioning = parse(cx.whole())?;
    let recorded = cx.app.objects.set_versioning(cx.grant(), &cx.bucket().name, versioning, &event).await?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
}

fn parse(body: &[u8]) -> Result<Versioning, Error> {
    if body.is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let malformed = || Error::new(Code::MalformedXML);
    let root = xml::parse_s3(body)?;
    root.expect_only(&["Status", "MfaDelete"])?;
    if root.name != "VersioningConfiguration" {
        return Err(malformed());
    }
    match root.at_most_one("MfaDelete")?.map(|mfa| mfa.text.trim()) {
        None | Some("Disabled") => {}
        Some("Enabled") => return Err(Error::not_implemented("MFA delete is not implemented by this server.")),
        Some(_) => return Err(malformed()),
    }
    match root.at_most_one("Status")?.map(|status| status.text.trim()) {
        Some("Enabled") => Ok(Versioning::Enabled),
        Some("Suspended") => Ok(Versioning::Suspended),
        Some(_) => Err(malformed()),
        None => Err(Error::new(Code::IllegalVersioningConfigurationException)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Versioning, parse};

    #[test]
    fn bodies() {
        let cases = [
            ("<Status>Enabled</Status>", Ok(Versioning::Enabled)),
            ("<MfaDelete>Disabled</MfaDelete><Status>\n Suspended </Status>", Ok(Versioning::Suspended)),
            ("<Status>enabled</Status>", Err("MalformedXML")),
            ("<Status>Disabled</Status>", Err("MalformedXML")),
            ("<Status/>", Err("MalformedXML")),
            ("<Status>Enabled</Status><Status>Enabled</Status>", Err("MalformedXML")),
            ("<Status>Enabled</Status><X/>", Err("MalformedXML")),
            ("", Err("IllegalVersioningConfigurationException")),
            ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", Err("NotImplemented")),
            ("<Status>Enabled</Status><MfaDelete>x</MfaDelete>", Err("MalformedXML")),
        ];
        for (inner, expected) in cases {
            let body = format!("<VersioningConfiguration>{inner}</VersioningConfiguration>");
            assert_eq!(parse(body.as_bytes()).map_err(|e| e.code().name()), expected, "{inner}");
        }
        assert_eq!(parse(b"").map_err(|e| e.code().name()), Err("MissingRequestBodyError"));
        assert_eq!(parse(b"<X><Status>Enabled</Status></X>").map_err(|e| e.code().name()), Err("MalformedXML"));
    }
}
