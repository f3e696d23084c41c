//! GetBucketLocation.

use super::create_bucket::US_EAST_1;
use crate::names::Region;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;
use crate::wire::xml::Writer;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    Ok(Answer::new().xml(render(&cx.bucket().region)))
}

/// The one answer whose root element is itself the value; us-east-1 is said by saying nothing.
fn render(region: &Region) -> Writer {
    let name = if region.as_str() == US_EAST_1 { "" } else { region.as_str() };
    let mut w = Writer::document();
    w.root("LocationConstraint", |w| w.text(name));
    w
}

#[cfg(test)]
mod tests {
    use super::{Region, render};

    #[test]
    fn us_east_1_has_no_name() {
        let location = |name: &str| render(&Region::parse(name).unwrap()).finish();
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint \
                     xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
        assert_eq!(location("us-east-1"), format!("{start}</LocationConstraint>"));
        assert_eq!(location("eu-west-1"), format!("{start}eu-west-1</LocationConstraint>"));
    }
}
