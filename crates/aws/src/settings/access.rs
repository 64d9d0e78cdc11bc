//! What an edge is told in place of the SDK's own configuration and of Secrets Manager.

use std::fmt;

use aws_sdk_dynamodb::config::Credentials;
use sn17_app::{KeySecret, sha256};

use super::parse::url;
use super::{Reader, SECRET_CHARS_MIN, Variable};

/// Longest key of AWS that is taken, in bytes: far beyond the 128 of an access key's name (AWS STS API Reference,
/// `Credentials`), since session tokens have no stated limit.
const CREDENTIAL_BYTES_MAX: usize = 8192;
/// Longest name of a region that is taken, in bytes.
const REGION_BYTES_MAX: usize = 32;

/// How an edge reaches AWS, and its secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// Where the table and the bucket are.
    pub region: String,
    /// A local engine instead of AWS.
    pub endpoint: Option<String>,
    /// Whose permissions the edge has. The SDK shows no more of them than the name of the key.
    pub credentials: Credentials,
    /// What API keys are hashed with, the same as on every other host of the deployment.
    pub key_secret: KeySecret,
    /// The operators' key.
    pub admin_key: Secret,
}

/// A text that no log and no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// What only an edge is told.
    pub(super) fn access(&mut self) -> Access {
        let unknown = || Secret(String::new());
        let api_key = self.required_or(Variable::ApiKeySecret, secret, unknown());
        let admin_key = self.required_or(Variable::AdminKey, secret, unknown());
        let region = self.required(Variable::Region, region);
        let key_id = self.required(Variable::AccessKeyId, credential);
        let key = self.required(Variable::SecretAccessKey, credential);
        let token = self.optional(Variable::SessionToken, credential);
        Access {
            region,
            endpoint: self.optional(Variable::EndpointUrl, url),
            credentials: Credentials::new(key_id, key, token, None, "settings"),
            key_secret: KeySecret(sha256(api_key.reveal().as_bytes())),
            admin_key,
        }
    }
}

fn secret(text: &str) -> Result<Secret, String> {
    // Whoever pipes a secret to a platform easily adds a line break, and with it no key made elsewhere is good here.
    if text.trim() != text {
        return Err("begins or ends with white space, as a line break at its end".to_owned());
    }
    if text.chars().count() >= SECRET_CHARS_MIN {
        return Ok(Secret(text.to_owned()));
    }
    Err(format!("is no secret of at least {SECRET_CHARS_MIN} characters"))
}

/// A part of AWS's credentials.
fn credential(text: &str) -> Result<String, String> {
    if text.len() <= CREDENTIAL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("is no part of AWS credentials: it has spaces, other characters than ASCII's, or is too long"
        .to_owned())
}

/// A word that can become part of a host's name.
fn region(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.len() <= REGION_BYTES_MAX && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("is no name of a region, such as `eu-central-1`".to_owned())
}
