//! Of what kind a mount is. The server tells whoever has any right in it; where it does not, a setting says.

use crate::error::{Refusal, malformed, misconfigured};
use crate::naming::{Kind, Place};
use crate::reply::{get, text, tree};
use secretfig_source::protocol::Reply;

/// The reply to [`Place::kind_url`].
pub(crate) fn kind(reply: &Reply, place: &Place) -> Result<Kind, Refusal> {
    let bad = || malformed("the reply does not tell of what kind the mount is");
    let tree = tree(reply)?;
    let data = get(&tree, "data").ok_or_else(bad)?;
    let path = text(data, "path").ok_or_else(bad)?.trim_matches('/');
    if path != place.mount() {
        // a mount inside what we take for one: the names in it would be taken apart at the wrong place
        return Err(misconfigured(
            "the server has its mount at another place of this name; list that mount in `mounts`",
        ));
    }
    match (text(data, "type"), get(data, "options").and_then(|options| text(options, "version"))) {
        (Some("kv" | "generic"), Some("2")) => Ok(Kind::V2),
        (Some("kv" | "generic"), _) => Ok(Kind::V1),
        (Some("database"), _) => Ok(Kind::Database),
        (Some(_), _) => Err(misconfigured(
            ["the mount `", &place.mount(), "` is neither key/value nor a database; nothing else is read"]
                .concat(),
        )),
        (None, _) => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::Names;
    use http::{HeaderMap, StatusCode};
    use secretfig_source::ErrorKind;
    use zeroize::Zeroizing;

    #[test]
    fn kinds_are_told_by_type_and_version() {
        let place = Names::default().place("secret/x").unwrap();
        let told = |data: &str| {
            let body = format!(r#"{{"data":{data}}}"#).into_bytes();
            kind(&Reply::new(StatusCode::OK, HeaderMap::new(), Zeroizing::new(body)), &place)
                .map_err(|e| e.kind)
        };
        let misconfigured = Err(ErrorKind::Misconfigured);
        for (data, want) in [
            (r#"{"path":"secret/","type":"kv","options":{"version":"2"}}"#, Ok(Kind::V2)),
            (r#"{"path":"secret/","type":"kv","options":{"version":"1"}}"#, Ok(Kind::V1)),
            (r#"{"path":"secret/","type":"kv","options":{}}"#, Ok(Kind::V1)),
            (r#"{"path":"secret/","type":"kv","options":null}"#, Ok(Kind::V1)),
            (r#"{"path":"secret/","type":"database","options":null}"#, Ok(Kind::Database)),
            (r#"{"path":"secret/","type":"transit","options":null}"#, misconfigured),
            (r#"{"path":"secret/x/","type":"kv","options":null}"#, misconfigured),
            (r#"{"type":"kv"}"#, Err(ErrorKind::Malformed)),
            ("null", Err(ErrorKind::Malformed)),
        ] {
            assert_eq!(told(data), want, "{data}");
        }
    }
}
