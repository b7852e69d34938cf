//! Where a peer is: the forms in which users write it, read once.

use std::fmt;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};

/// The address of a peer and the path under which it serves; carries no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    uri: Uri,
}

impl Endpoint {
    /// Reads the URL of an HTTP peer, such as `https://collector:4318/prefix`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `text` and what to write.
    pub(crate) fn http(text: &str) -> Result<Self, String> {
        if !text.contains("://") {
            return Err(format!(
                "`{}` has no scheme; write http:// or https:// before it",
                without_user(text)
            ));
        }
        Self::url(text)
    }

    /// Reads the target of a gRPC client: `host:port`, or a URL whose scheme says whether TLS is
    /// spoken. Without a scheme `is_plain` decides. `dns:///host:port` is read as `host:port`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `text` and what to write.
    pub(crate) fn grpc(text: &str, is_plain: bool) -> Result<Self, String> {
        let target = text.strip_prefix("dns:///").unwrap_or(text);
        let endpoint = if target.contains("://") {
            Self::url(target)?
        } else {
            let scheme = if is_plain { "http" } else { "https" };
            Self::url(&format!("{scheme}://{target}"))?
        };
        if endpoint.uri.port_u16().is_none() {
            return Err(format!(
                "`{text}` has no port; write for example {}:4317",
                endpoint.uri.host().unwrap_or("localhost")
            ));
        }
        Ok(endpoint)
    }

    fn url(text: &str) -> Result<Self, String> {
        let scheme = text.split("://").next().unwrap_or_default();
        if scheme != "http" && scheme != "https" {
            return Err(format!(
                "`{scheme}` is not a scheme to send to; write http:// or https://"
            ));
        }
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("`{}` is not a URL: {error}", without_user(text)))?;
        if uri
            .authority()
            .is_some_and(|name| name.as_str().contains('@'))
        {
            return Err(
                "a user and password in the URL are not supported; send an authorization header"
                    .to_owned(),
            );
        }
        if uri.host().unwrap_or_default().is_empty() {
            return Err(format!("`{text}` names no host"));
        }
        Ok(Self { uri })
    }

    /// The same peer with `path` appended to the path of this endpoint.
    ///
    /// # Errors
    /// When the two make no path.
    pub(crate) fn join(&self, path: &str) -> Result<Self, String> {
        let base = self.uri.path().trim_end_matches('/');
        let mut parts = self.uri.clone().into_parts();
        let joined = format!("{base}/{}", path.trim_start_matches('/'));
        parts.path_and_query = Some(
            PathAndQuery::try_from(joined.as_str())
                .map_err(|error| format!("`{joined}` is not a path: {error}"))?,
        );
        let uri = Uri::from_parts(parts).map_err(|error| error.to_string())?;
        Ok(Self { uri })
    }

    /// The whole address.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether TLS is spoken.
    pub(crate) fn is_tls(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// `text` without what stands before an `@`, which may be a password.
fn without_user(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_targets_are_read_in_all_forms() {
        for (text, is_plain, expected) in [
            ("localhost:4317", true, "http://localhost:4317/"),
            ("localhost:4317", false, "https://localhost:4317/"),
            ("http://10.0.0.1:4317", false, "http://10.0.0.1:4317/"),
            ("https://collector:4317", true, "https://collector:4317/"),
            ("dns:///collector:4317", true, "http://collector:4317/"),
            ("[::1]:4317", true, "http://[::1]:4317/"),
        ] {
            let endpoint = Endpoint::grpc(text, is_plain).unwrap();
            assert_eq!(endpoint.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_reached_says_what_to_write() {
        for (text, part) in [
            ("collector", "has no port"),
            ("unix:///run/otlp.sock", "not a scheme"),
            ("http://user:secret@collector:4317", "authorization header"),
            ("", "not a URL"),
        ] {
            let problem = Endpoint::grpc(text, true).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
        for text in ["collector:4318", "user:secret@collector:4318"] {
            let problem = Endpoint::http(text).unwrap_err();
            assert!(
                problem.contains("`collector:4318` has no scheme"),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_path_is_appended_to_the_base() {
        for (base, expected) in [
            ("http://a:4318", "http://a:4318/v1/logs"),
            ("http://a:4318/", "http://a:4318/v1/logs"),
            ("https://a/otlp/", "https://a/otlp/v1/logs"),
        ] {
            let joined = Endpoint::http(base).unwrap().join("/v1/logs").unwrap();
            assert_eq!(joined.to_string(), expected);
        }
    }
}
