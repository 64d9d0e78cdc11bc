//! List prices of AWS in us-east-1, in US dollars.

/// What is paid for, its price for a million in dollars, and where it was checked.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    /// What is paid for.
    pub what: &'static str,
    /// Dollars for a million of it.
    pub per_million: f64,
    /// The page that names the same price.
    pub page: &'static str,
}

/// DynamoDB on demand, a write request unit.
pub const WRITE_UNIT: Price = Price {
    what: "DynamoDB on demand: write request unit",
    per_million: 0.625,
    page: "<https://airbyte.com/data-engineering-resources/dynamodb-pricing>",
};
/// DynamoDB on demand, a read request unit.
pub const READ_UNIT: Price = Price {
    what: "DynamoDB on demand: read request unit",
    per_million: 0.125,
    page: "<https://airbyte.com/data-engineering-resources/dynamodb-pricing>",
};
/// A request to a Lambda function.
pub const INVOCATION: Price = Price {
    what: "Lambda: request",
    per_million: 0.2,
    page: "<https://git.mcrn.ar/mariano/lambda_local_runner> (`lambda-13-cost.md`, May 2026)",
};
/// A gibibyte-second of a Lambda function on arm64.
pub const GB_SECOND: Price = Price {
    what: "Lambda on arm64: GB-second",
    per_million: 13.3334,
    page: "<https://cloudchipr.com/blog/aws-lambda-pricing>",
};
/// A request to a standard queue of SQS.
pub const SQS_REQUEST: Price = Price {
    what: "SQS, standard queue: request",
    per_million: 0.4,
    page: "<https://cloudburn.io/blog/amazon-sqs-pricing> (March 2026)",
};
/// A PUT to S3.
pub const S3_PUT: Price = Price {
    what: "S3 Standard: PUT",
    per_million: 5.0,
    page: "<https://c3x.dev/blog/s3-request-fees-explained>",
};
/// A GET from S3.
pub const S3_GET: Price = Price {
    what: "S3 Standard: GET",
    per_million: 0.4,
    page: "<https://c3x.dev/blog/s3-request-fees-explained>",
};

/// Every price that is reckoned with.
pub const ALL: [Price; 7] = [WRITE_UNIT, READ_UNIT, INVOCATION, GB_SECOND, SQS_REQUEST, S3_PUT, S3_GET];

impl Price {
    /// What so many of it cost.
    pub fn of(self, count: f64) -> f64 {
        count * self.per_million / 1e6
    }
}

/// Dollars a day for so many write and read request units a second.
pub fn table_per_day(writes_per_sec: f64, reads_per_sec: f64) -> f64 {
    86_400.0 * (WRITE_UNIT.of(writes_per_sec) + READ_UNIT.of(reads_per_sec))
}
