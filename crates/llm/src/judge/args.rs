//! The judge as the command line and the environment describe it.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sn17_app::Host;
use sn17_app::ports::Ledger;

use super::OpenAiJudge;
use crate::chat::Chat;
use crate::endpoint::{ApiKey, Endpoint, EndpointError};
use crate::shared::{BLOCK_TOKENS, SharedTokens};

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
    /// Calls to the judge in a minute, at most, by this process.
    #[arg(long, env = "SN17_JUDGE_CALLS_PER_MINUTE", value_name = "CALLS")]
    pub judge_calls_per_minute: Option<u32>,
    /// Tokens that the judge may cost in a day (UTC), all duelists of a network together; 10,000 at least.
    ///
    /// The ledger counts them, so that a restart forgets nothing. Not a rule of the game but of the purse, it stands
    /// beside the URL and the model that it pays for; give all duelists the same.
    #[arg(long, env = "SN17_JUDGE_TOKENS_PER_DAY", value_name = "TOKENS")]
    pub judge_tokens_per_day: Option<u64>,
}

impl JudgeArgs {
    /// The judge that is described; none without a URL. Nothing is asked yet. `ledger` counts what it costs.
    ///
    /// # Errors
    /// [`EndpointError`] for a description that cannot be.
    pub fn judge(&self, host: Host, ledger: Arc<dyn Ledger>) -> Result<Option<OpenAiJudge>, EndpointError> {
        let Some(base_url) = &self.judge_url else { return Ok(None) };
        if self.judge_tokens_per_day.is_some_and(|tokens| tokens < BLOCK_TOKENS) {
            return Err(EndpointError::OutOfRange { name: "the tokens per day", range: "at least 10,000" });
        }
        let endpoint = Endpoint {
            plain_http: self.judge_plain_http,
            api_key: self.judge_api_key.clone().map(ApiKey::new),
            timeout: Duration::from_secs(self.judge_timeout_secs),
            calls_per_minute: self.judge_calls_per_minute,
            ..Endpoint::new(base_url, &self.judge_model)
        };
        let chat = Chat::new(endpoint, host)?;
        let chat = match self.judge_tokens_per_day {
            Some(tokens) => chat.sharing(SharedTokens::new(ledger, tokens)),
            None => chat,
        };
        Ok(Some(OpenAiJudge::new(Arc::new(chat))))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use sn17_core::UnixMs;
    use sn17_store::conformance::ManualClock;
    use sn17_store::{Embedded, Options};

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        judge: JudgeArgs,
    }

    fn judge(args: &[&str]) -> Result<Option<OpenAiJudge>, EndpointError> {
        let host = Host { now: Arc::new(|| UnixMs(0)), random: Arc::new(|| 4) };
        let ledger = Arc::new(Embedded::memory(ManualClock::default().clock(), Options::default()).unwrap());
        Program::parse_from([&["program"], args].concat()).judge.judge(host, ledger)
    }

    #[test]
    fn there_is_a_judge_where_a_url_says_so() {
        assert!(judge(&[]).unwrap().is_none());
        assert!(judge(&["--judge-url", "http://127.0.0.1:8095/v1"]).unwrap().is_some());
        let private = ["--judge-url", "http://judge.internal:8095/v1"];
        assert_eq!(judge(&private).map(|_| ()), Err(EndpointError::NotEncrypted));
        assert!(judge(&[&private[..], &["--judge-plain-http"]].concat()).unwrap().is_some());
    }

    #[test]
    fn a_budget_is_at_least_one_block() {
        let budget = |tokens| ["--judge-url", "http://[::1]/v1", "--judge-tokens-per-day", tokens];
        let range = "at least 10,000";
        let expected = EndpointError::OutOfRange { name: "the tokens per day", range };
        assert_eq!(judge(&budget("9999")).map(|_| ()), Err(expected));
        assert!(judge(&budget("10000")).unwrap().is_some());
    }
}
