//! What the variables' texts must be. No message repeats a text that may be a secret.

use sn17_core::Hotkey;
use sn17_core::policy::Policy;
use sn17_wire::ss58;

/// Most shards.
const SHARDS_MAX: u16 = 1024;
/// Most shards of a network that has an edge. A refresh of the hints makes four calls for each (look at the head and count,
/// in both queues), and one request may make 1,000 on Cloudflare's paid plan ("subrequests" in the limits of Workers;
/// 10,000 since 2026).
const EDGE_SHARDS_MAX: u16 = 128;
/// Longest URL that is taken, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// Amazon DynamoDB's rule for names of tables.
pub(super) fn table_name(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if (3..=255).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("is no name of a table: 3 to 255 letters, digits, `_`, `-` and `.`".to_owned())
}

/// Amazon S3's rule for names of buckets, but for its reserved beginnings and endings.
pub(super) fn bucket_name(text: &str) -> Result<String, String> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let allowed = |byte: u8| is_inner(byte) || matches!(byte, b'-' | b'.');
    let ends = [text.bytes().next(), text.bytes().last()];
    if (3..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && ends.iter().flatten().all(|byte| is_inner(*byte))
    {
        return Ok(text.to_owned());
    }
    Err("is no name of a bucket: 3 to 63 lower-case letters, digits, `-` and `.`".to_owned())
}

/// An absolute URL of a host.
pub(super) fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let is_host = !host.is_empty() && !host.starts_with(':') && !host.contains('@');
    if is_host && text.len() <= URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("is no URL of a host: `https://host` or `http://host`, a path if need be".to_owned())
}

/// The URL of a queue: its host, then its account and its name.
pub(super) fn queue_url(text: &str) -> Result<String, String> {
    let text = url(text)?;
    let path = text.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    if path.is_some_and(|(_, path)| !path.trim_matches('/').is_empty()) {
        return Ok(text);
    }
    Err("is no URL of a queue: it lacks the queue's name".to_owned())
}

/// A short word, as it becomes a dimension of metrics.
pub(super) fn stage(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.len() <= 32 && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("is no stage: at most 32 letters, digits and `-`".to_owned())
}

pub(super) fn shards(text: &str) -> Result<u16, String> {
    let shards = text.parse().ok().filter(|shards| (1..=SHARDS_MAX).contains(shards));
    shards.ok_or_else(|| format!("is no number from 1 to {SHARDS_MAX}"))
}

pub(super) fn edge_shards(text: &str) -> Result<u16, String> {
    let shards = shards(text)?;
    if shards <= EDGE_SHARDS_MAX {
        return Ok(shards);
    }
    Err(format!(
        "is more than {EDGE_SHARDS_MAX}: one request at an edge may not make the calls that more shards take"
    ))
}

pub(super) fn policy(text: &str) -> Result<Policy, String> {
    let policy: Policy = serde_json::from_str(text).map_err(|error| format!("is no policy: {error}"))?;
    policy.validate().map_err(|error| format!("is no policy: {error}"))?;
    Ok(policy)
}

pub(super) fn validator(text: &str) -> Result<Hotkey, String> {
    ss58::decode(text).map_err(|error| format!("is no hotkey: {error}"))
}

/// A name or an ARN; the secret itself, put here by mistake, is never repeated in a message.
pub(super) fn secret_id(text: &str) -> Result<String, String> {
    if text.len() <= URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("is no name of a secret".to_owned())
}
