//! How failed calls of the AWS SDK become errors of the ports; the one place that knows the services' error codes.
//!
//! | kind | what it stands for |
//! | --- | --- |
//! | `Throttled` | the service asks for less: `SlowDown`, `ThrottlingException`, a full partition, HTTP 429 |
//! | `Conflict` | a condition did not hold, or others hold the item |
//! | `NotFound` | the object, upload or delivery is not there |
//! | `Unavailable` | no answer, an answer of 5xx, or a fault of the deployment: no permission, no such table, bucket or queue, expired credentials |
//! | `Corrupt` | the service will never take this request as it is |
//!
//! Faults of the deployment are `Unavailable` and not `Corrupt`: clients are asked to come back, deliveries go back
//! to their queue, and nothing is lost while an operator repairs a role or a name.
//!
//! The codes are those of the services' API references (Amazon DynamoDB, S3, SQS: "Common errors" and the errors
//! of each action).

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sn17_app::ports::{PortError, PortErrorKind};

/// Longest message of a service that is passed on, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// Codes with which a service asks for fewer requests.
const THROTTLES: &[&str] = &[
    "BandwidthLimitExceeded",
    "KmsThrottled",
    "LimitExceededException",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingError",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Codes that mean that somebody else was first, or still is at it.
const CONFLICTS: &[&str] = &[
    "ConditionalCheckFailed",
    "ConditionalCheckFailedException",
    "ConditionalRequestConflict",
    "OperationAborted",
    "PreconditionFailed",
    "ReplicatedWriteConflictException",
    "TransactionCanceledException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Codes that mean that the thing asked for is not there. A receipt handle that names nothing, or a delivery that
/// is over, counts as one.
const MISSING: &[&str] = &[
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidIdFormat",
    "MessageNotInflight",
    "NoSuchKey",
    "NoSuchUpload",
    "NotFound",
    "ReceiptHandleIsInvalid",
];

/// Codes of 4xx answers that are faults of the deployment or of the moment, not of the request.
const OURS: &[&str] = &[
    "AWS.SimpleQueueService.NonExistentQueue",
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "BadDigest",
    "ExpiredToken",
    "ExpiredTokenException",
    "ForbiddenException",
    "IncompleteBody",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "KmsAccessDenied",
    "KmsDisabled",
    "KmsInvalidState",
    "KmsNotFound",
    "KmsOptInRequired",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NoSuchBucket",
    "NonExistentQueue",
    "NotAuthorized",
    "OptInRequired",
    "PermanentRedirect",
    "QueueDoesNotExist",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestTimeoutException",
    "ResourceNotFoundException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "XAmzContentChecksumMismatch",
];

/// Turns a failed call into the port's error; `doing` completes "cannot …" and names the thing.
///
/// Whatever the kind, the request MAY have taken effect, unless the service refused it.
pub(crate) fn port_error<E>(doing: &str, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (kind, reason) = match error {
        SdkError::ServiceError(context) => {
            let metadata = context.err().meta();
            let kind = service_kind(metadata.code(), context.raw().status().as_u16());
            (kind, service_reason(context.err(), context.raw().status().as_u16()))
        }
        SdkError::ConstructionFailure(_) => (PortErrorKind::Corrupt, chain(error)),
        // A request that was not answered, or not in full: whatever it was, a later one may be.
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            (PortErrorKind::Unavailable, chain(error))
        }
        _ => (PortErrorKind::Unavailable, chain(error)),
    };
    PortError::new(kind, format!("cannot {doing}: {reason}"))
}

/// The kind of an answer that carries this code and HTTP status; also for the entries of batches and the reasons
/// of cancelled transactions, which have codes of their own.
pub(crate) fn service_kind(code: Option<&str>, status: u16) -> PortErrorKind {
    // SQS's older protocol puts "AWS.SimpleQueueService." before codes, newer ones "com.amazonaws.sqs#".
    let code = code.map(|code| code.rsplit_once('#').map_or(code, |(_, name)| name));
    let is_in = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    if is_in(THROTTLES) || status == 429 {
        PortErrorKind::Throttled
    } else if is_in(CONFLICTS) {
        PortErrorKind::Conflict
    } else if is_in(MISSING) {
        PortErrorKind::NotFound
    } else if is_in(OURS) || status >= 500 || matches!(status, 401 | 403) {
        PortErrorKind::Unavailable
    } else if status == 404 && code.is_none() {
        // The answer to a HEAD has no body to carry a code.
        PortErrorKind::NotFound
    } else {
        PortErrorKind::Corrupt
    }
}

/// Code, message and request id of a service's answer. The message of a refused signature is left out: some
/// services spell the whole signed request in it, its session token included.
fn service_reason<E: ProvideErrorMetadata>(error: &E, status: u16) -> String {
    let metadata = error.meta();
    let code = metadata.code().unwrap_or("no code");
    let mut reason = format!("{code} ({status})");
    if let Some(message) = metadata.message().filter(|_| !code.contains("Signature")) {
        reason.push_str(": ");
        reason.extend(message.chars().take(MESSAGE_CHARS_MAX));
    }
    if let Some(request) = metadata.extra("aws_request_id") {
        reason.push_str(", request ");
        reason.push_str(request);
    }
    reason
}

/// An error with its causes, outermost first.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::error::QueueDoesNotExist;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn check(code: Option<&str>, status: u16, expected: PortErrorKind) {
        assert_eq!(service_kind(code, status), expected, "{code:?} {status}");
    }

    #[test]
    fn codes_have_their_kind() {
        check(Some("ProvisionedThroughputExceededException"), 400, PortErrorKind::Throttled);
        check(Some("SlowDown"), 503, PortErrorKind::Throttled);
        check(Some("RequestThrottled"), 403, PortErrorKind::Throttled);
        check(None, 429, PortErrorKind::Throttled);
        check(Some("ConditionalCheckFailedException"), 400, PortErrorKind::Conflict);
        check(Some("NoSuchKey"), 404, PortErrorKind::NotFound);
        check(Some("com.amazonaws.sqs#ReceiptHandleIsInvalid"), 400, PortErrorKind::NotFound);
        check(None, 404, PortErrorKind::NotFound);
        check(Some("NoSuchBucket"), 404, PortErrorKind::Unavailable);
        check(Some("ResourceNotFoundException"), 400, PortErrorKind::Unavailable);
        check(Some("AccessDenied"), 403, PortErrorKind::Unavailable);
        check(Some("AccessDeniedException"), 400, PortErrorKind::Unavailable);
        check(Some("InternalError"), 500, PortErrorKind::Unavailable);
        check(None, 503, PortErrorKind::Unavailable);
        check(Some("ValidationException"), 400, PortErrorKind::Corrupt);
        check(Some("EntityTooSmall"), 400, PortErrorKind::Corrupt);
    }

    #[test]
    fn no_code_has_two_kinds() {
        let mut codes = [THROTTLES, CONFLICTS, MISSING, OURS].concat();
        let before = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), before);
    }

    fn answered(code: &str, message: &str) -> SdkError<QueueDoesNotExist, HttpResponse> {
        let metadata =
            ErrorMetadata::builder().code(code).message(message).custom("aws_request_id", "R1").build();
        let error = QueueDoesNotExist::builder().meta(metadata).build();
        let status = StatusCode::try_from(400).unwrap();
        SdkError::service_error(error, HttpResponse::new(status, SdkBody::empty()))
    }

    #[test]
    fn messages_name_the_deed_the_code_and_the_request() {
        let error = port_error("send to the scoring queue", &answered("QueueDoesNotExist", "no such queue"));
        assert_eq!(error.kind, PortErrorKind::Unavailable);
        let expected = "cannot send to the scoring queue: QueueDoesNotExist (400): no such queue, request R1";
        assert_eq!(error.message, expected);
    }

    #[test]
    fn refused_signatures_tell_nothing_of_the_request() {
        let answer = answered("InvalidSignatureException", "x-amz-security-token:s3cr3t");
        let error = port_error("send", &answer);
        assert_eq!(error.kind, PortErrorKind::Unavailable);
        assert!(!error.message.contains("s3cr3t"), "{error}");
    }

    #[test]
    fn requests_without_an_answer_are_unavailable() {
        let refused = ConnectorError::io("connection refused".into());
        let error: SdkError<QueueDoesNotExist, HttpResponse> = SdkError::dispatch_failure(refused);
        let error = port_error("send", &error);
        assert_eq!(error.kind, PortErrorKind::Unavailable);
        assert!(error.message.contains("connection refused"), "{error}");
    }
}
