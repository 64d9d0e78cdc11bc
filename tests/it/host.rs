//! Where the networks under test run, and what makes one test for each such place.

use serde_json::{Value, json};

use crate::deployment::{self, Deployment};
use crate::server::{Server, Setup};
use crate::worker::OUTPUTS;

/// Where a network runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Host {
    /// In a process of its own, which the test starts.
    Embedded,
    /// In Lambda functions, deployed before and shared by all tests.
    Lambda(&'static Deployment),
}

/// Makes a test on every host of each of these functions, which take a [`Host`].
macro_rules! on_every_host {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test($crate::host::Host::Embedded).await;
                }
            )+
        }

        $crate::host::on_lambda!($($test),+);
    };
}

/// Makes a test on the deployed functions of each of these functions, which take a [`Host`].
macro_rules! on_lambda {
    ($($test:ident),+ $(,)?) => {
        mod lambda {
            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(host) = $crate::host::Host::lambda().await {
                        super::$test(host).await;
                    }
                }
            )+
        }
    };
}

pub(crate) use {on_every_host, on_lambda};

impl Host {
    /// The deployment that the environment names; without one, says so on a line of its own.
    pub(crate) async fn lambda() -> Option<Self> {
        let deployment = deployment::given().await;
        if deployment.is_none() {
            eprintln!("skipped: {OUTPUTS} names no deployment");
        }
        deployment.map(Self::Lambda)
    }

    /// A network with scripted verdicts, in which nobody but these miners works.
    pub(crate) async fn mining(self, miners: u16) -> Server {
        self.start(Setup { miners, policy: json!({}), ..Setup::default() }).await
    }

    /// A network with scripted verdicts whose clients have tasks. `policy` is what differs from the default one, where
    /// a test may choose: a deployment has its own, with short times and two copies of a task.
    pub(crate) async fn with_clients(self, miners: u16, policy: Value) -> Server {
        self.start(Setup { miners, policy, has_clients: true, ..Setup::default() }).await
    }

    async fn start(self, setup: Setup) -> Server {
        match self {
            Self::Embedded => Server::start(Setup { arguments: vec!["--simulate".into()], ..setup }).await,
            Self::Lambda(deployment) => Server::deployed(deployment, &setup).await,
        }
    }
}
