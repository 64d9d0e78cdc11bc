//! The judge as the command line and the environment describe it.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sn17_app::Host;

use super::OpenAiJudge;
use crate::chat::Chat;
use crate::endpoint::{ApiKey, Endpoint, EndpointError};

/// The original's judge.
const DEFAULT_MODEL: &str = "zai-org/GLM-4.1V-9B-Thinking";

/// Which judge compares miners' results. Without a URL, as by default, there is none.
#[derive(Args, Clone, Debug, Default)]
pub struct JudgeArgs {
    /// Base URL of the OpenAI-compatible API where the judge of duels answers, up to /v1; without it there are no duels.
    #[arg(long, env = "SN17_JUDGE_URL", value_name = "URL")]
    pub judge_url: Option<String>,
    /// The vision-language model that judges.
    #[arg(long, env = "SN17_JUDGE_MODEL", value_name = "MODEL", default_value = DEFAULT_MODEL)]
    pub judge_model: String,
    /// The judge's API key.
    #[arg(long, env = "SN17_JUDGE_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub judge_api_key: Option<String>,
    /// Let the judge be asked over plain http on another machine, such as one of the same private network.
    #[arg(long, env = "SN17_JUDGE_PLAIN_HTTP")]
    pub judge_plain_http: bool,
    /// Seconds that one call to the judge may take.
    #[arg(long, env = "SN17_JUDGE_TIMEOUT_SECS", value_name = "SECS", default_value_t = 20)]
    pub judge_timeout_secs: u64,
    /// Calls to the judge in a minute, at most.
    #[arg(long, env = "SN17_JUDGE_CALLS_PER_MINUTE", value_name = "CALLS")]
    pub judge_calls_per_minute: Option<u32>,
    /// Tokens that the judge may cost in a day (UTC), in this process.
    #[arg(long, env = "SN17_JUDGE_TOKENS_PER_DAY", value_name = "TOKENS")]
    pub judge_tokens_per_day: Option<u64>,
}

impl JudgeArgs {
    /// The judge that is described; none without a URL. Nothing is asked yet.
    ///
    /// # Errors
    /// [`EndpointError`] for a description that cannot be.
    pub fn judge(&self, host: Host) -> Result<Option<OpenAiJudge>, EndpointError> {
        let Some(base_url) = &self.judge_url else { return Ok(None) };
        let endpoint = Endpoint {
            plain_http: self.judge_plain_http,
            api_key: self.judge_api_key.clone().map(ApiKey::new),
            timeout: Duration::from_secs(self.judge_timeout_secs),
            calls_per_minute: self.judge_calls_per_minute,
            tokens_per_day: self.judge_tokens_per_day,
            ..Endpoint::new(base_url, &self.judge_model)
        };
        Ok(Some(OpenAiJudge::new(Arc::new(Chat::new(endpoint, host)?))))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use sn17_core::UnixMs;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        judge: JudgeArgs,
    }

    fn judge(args: &[&str]) -> Result<Option<OpenAiJudge>, EndpointError> {
        let host = Host { now: Arc::new(|| UnixMs(0)), random: Arc::new(|| 4) };
        Program::parse_from([&["program"], args].concat()).judge.judge(host)
    }

    #[test]
    fn there_is_a_judge_where_a_url_says_so() {
        assert!(judge(&[]).unwrap().is_none());
        assert!(judge(&["--judge-url", "http://127.0.0.1:8095/v1"]).unwrap().is_some());
        let private = ["--judge-url", "http://judge.internal:8095/v1"];
        assert_eq!(judge(&private).map(|_| ()), Err(EndpointError::NotEncrypted));
        assert!(judge(&[&private[..], &["--judge-plain-http"]].concat()).unwrap().is_some());
    }
}
