//! The headers of a message, and the status of its answer. Pure.
//!
//! Versions before 2026-07-28 name the version in a header, after a handshake (`initialize`). From 2026-07-28 on, each
//! request names its version in the body, and headers repeat the version, the method and the name for proxies. Both
//! must agree.

use actix_web::http::{StatusCode, header::HeaderMap};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use rmcp::model::{ErrorCode, ErrorData, JsonRpcMessage, ProtocolVersion, ServerJsonRpcMessage};
use serde_json::Value;

const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
/// The members of `_meta` that a request needs that is not part of a session.
const NAMED_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The protocol's version in a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Version {
    /// Agreed on by a handshake; 2025-03-26 if the request does not say.
    Session(ProtocolVersion),
    /// Named by the request itself.
    Request(ProtocolVersion),
}

/// Why a message is refused with the status 400.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// The client cannot expect an answer of the protocol.
    Malformed(String),
    /// The protocol has an error for it.
    Error(ErrorData),
}

/// The version of `message`, whose headers agree with its body.
///
/// # Errors
/// [`Refusal`].
pub(super) fn check(headers: &HeaderMap, message: &Value) -> Result<Version, Refusal> {
    let shown = text(headers, VERSION)?;
    let method = message["method"].as_str().unwrap_or_default();
    let params = &message["params"];
    if method == "initialize" {
        let asked = params["protocolVersion"].as_str();
        return match shown {
            Some(shown) if Some(shown) != asked => Err(Refusal::Malformed(format!(
                "the header MCP-Protocol-Version ({shown}) differs from the protocolVersion of the body"
            ))),
            _ => Ok(Version::Session(version(asked))),
        };
    }
    let meta = &params["_meta"];
    let named = meta[NAMED_VERSION].as_str();
    let is_request = !message["id"].is_null();
    let is_later = shown.is_some_and(|shown| shown >= ProtocolVersion::NO_INITIALIZE.as_str());
    if named.is_none()
        && let Some(shown) = shown
        && !ProtocolVersion::KNOWN_VERSIONS.iter().any(|known| known.as_str() == shown)
    {
        let known: Vec<&str> = ProtocolVersion::KNOWN_VERSIONS.iter().map(ProtocolVersion::as_str).collect();
        let detail = format!("MCP-Protocol-Version {shown} is not one of {}", known.join(", "));
        return Err(Refusal::Malformed(detail));
    }
    if named.is_some() && named != shown {
        return Err(mismatch("the header MCP-Protocol-Version differs from the protocol version of the body"));
    }
    let is_by_itself = is_request && (named.is_some() || is_later || method == "server/discover");
    if is_by_itself {
        for key in [NAMED_VERSION, CAPABILITIES] {
            if meta[key].is_null() {
                let detail = format!("the _meta of the request lacks {key}");
                return Err(Refusal::Error(ErrorData::invalid_params(detail, None)));
            }
        }
    }
    if is_later {
        agree(headers, method, params)?;
    }
    Ok(if is_by_itself { Version::Request(version(named)) } else { Version::Session(version(shown)) })
}

/// Whether the headers repeat the method and the name of the body.
fn agree(headers: &HeaderMap, method: &str, params: &Value) -> Result<(), Refusal> {
    if text(headers, METHOD)? != Some(method) {
        return Err(mismatch("the header Mcp-Method differs from the method of the body"));
    }
    let name = match method {
        "tools/call" => params["name"].as_str(),
        "resources/read" => params["uri"].as_str(),
        _ => return Ok(()),
    };
    let shown = text(headers, NAME)?.and_then(plain);
    if shown.is_some() && shown.as_deref() == name {
        return Ok(());
    }
    Err(mismatch("the header Mcp-Name differs from the name or uri of the body"))
}

/// The text that a header stands for. Text that a header cannot carry is in Base64.
fn plain(shown: &str) -> Option<String> {
    match shown.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok(),
        None => Some(shown.to_owned()),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refusal> {
    let value = headers.get(name).map(|value| value.to_str());
    value.transpose().map_err(|_| Refusal::Malformed(format!("the header {name} is not ASCII text")))
}

fn mismatch(detail: &'static str) -> Refusal {
    Refusal::Error(ErrorData::header_mismatch(detail, None))
}

fn version(text: Option<&str>) -> ProtocolVersion {
    let version = text.and_then(|text| serde_json::from_value(Value::from(text)).ok());
    version.unwrap_or(ProtocolVersion::V_2025_03_26)
}

/// The status of an answer.
pub(super) fn status(version: &Version, answer: &ServerJsonRpcMessage) -> StatusCode {
    let (Version::Request(_), JsonRpcMessage::Error(error)) = (version, answer) else { return StatusCode::OK };
    match error.error.code {
        ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
        | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY
        | ErrorCode::HEADER_MISMATCH => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    fn by_itself(method: &str, version: &str, more: Value) -> Value {
        let mut message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": more });
        message["params"]["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        message
    }

    fn code(refused: Result<Version, Refusal>) -> Option<ErrorCode> {
        match refused {
            Err(Refusal::Error(error)) => Some(error.code),
            Err(Refusal::Malformed(_)) => None,
            Ok(version) => unreachable!("{version:?}"),
        }
    }

    #[test]
    fn a_session_names_its_version_in_the_header() {
        let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        for (shown, expected) in
            [(&[][..], ProtocolVersion::V_2025_03_26), (&[(VERSION, "2025-11-25")][..], ProtocolVersion::V_2025_11_25)]
        {
            assert_eq!(check(&headers(shown), &list), Ok(Version::Session(expected)));
        }
        assert_eq!(code(check(&headers(&[(VERSION, "1999-01-01")]), &list)), None);
        let begin = json!({ "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-06-18" } });
        let asked = Ok(Version::Session(ProtocolVersion::V_2025_06_18));
        assert_eq!(check(&headers(&[]), &begin), asked);
        assert_eq!(check(&headers(&[(VERSION, "2025-06-18")]), &begin), asked);
        assert_eq!(code(check(&headers(&[(VERSION, "2025-03-26")]), &begin)), None);
    }

    #[test]
    fn a_request_by_itself_has_headers_that_repeat_its_body() {
        const LATEST: &str = "2026-07-28";
        let call = by_itself("tools/call", LATEST, json!({ "name": "say" }));
        let encoded = "=?base64?c2F5?=";
        for name in ["say", encoded] {
            let right = headers(&[(VERSION, LATEST), (METHOD, "tools/call"), (NAME, name)]);
            assert_eq!(check(&right, &call), Ok(Version::Request(ProtocolVersion::V_2026_07_28)));
        }
        for wrong in [
            &[][..],
            &[(VERSION, "2025-11-25"), (METHOD, "tools/call"), (NAME, "say")][..],
            &[(VERSION, LATEST), (NAME, "say")][..],
            &[(VERSION, LATEST), (METHOD, "tools/list"), (NAME, "say")][..],
            &[(VERSION, LATEST), (METHOD, "tools/call")][..],
            &[(VERSION, LATEST), (METHOD, "tools/call"), (NAME, "transfer")][..],
            &[(VERSION, LATEST), (METHOD, "tools/call"), (NAME, "=?base64?!?=")][..],
        ] {
            assert_eq!(code(check(&headers(wrong), &call)), Some(ErrorCode::HEADER_MISMATCH), "{wrong:?}");
        }
        let read = by_itself("resources/read", LATEST, json!({ "uri": "tertulia://conversations/c" }));
        let right = headers(&[(VERSION, LATEST), (METHOD, "resources/read"), (NAME, "tertulia://conversations/c")]);
        assert!(check(&right, &read).is_ok());
    }

    #[test]
    fn a_request_by_itself_says_what_its_client_can_do() {
        let mut list = by_itself("tools/list", "2026-07-28", json!({}));
        list["params"]["_meta"].as_object_mut().unwrap().remove("io.modelcontextprotocol/clientCapabilities");
        let right = headers(&[(VERSION, "2026-07-28"), (METHOD, "tools/list")]);
        assert_eq!(code(check(&right, &list)), Some(ErrorCode::INVALID_PARAMS));
        let discover = json!({ "id": 1, "method": "server/discover" });
        assert_eq!(code(check(&headers(&[]), &discover)), Some(ErrorCode::INVALID_PARAMS));
    }

    #[test]
    fn errors_have_a_status_of_their_own_only_for_requests_by_themselves() {
        let error = |code| ServerJsonRpcMessage::error(ErrorData::new(code, "", None), None);
        let (session, request) =
            (Version::Session(ProtocolVersion::V_2025_11_25), Version::Request(ProtocolVersion::V_2026_07_28));
        for (code, expected) in [
            (ErrorCode::METHOD_NOT_FOUND, StatusCode::NOT_FOUND),
            (ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, StatusCode::BAD_REQUEST),
            (ErrorCode::INVALID_PARAMS, StatusCode::OK),
        ] {
            assert_eq!(status(&request, &error(code)), expected);
            assert_eq!(status(&session, &error(code)), StatusCode::OK);
        }
    }
}
