//! Where the networks under test run, and what makes one test for each such place.

use serde_json::{Value, json};

use crate::deployment::{self, DeployedHost, Deployment};
use crate::server::{Server, Setup};

/// Where a network runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Host {
    /// In a process of its own, which the test starts.
    Embedded,
    /// On a host that was deployed before and that all tests share.
    Deployed(&'static Deployment),
}

/// Makes a test on every host of each of these functions, which take a [`Host`].
macro_rules! on_every_host {
    ($($test:ident),+ $(,)?) => {
        $crate::host::on_embedded!($($test),+);
        $crate::host::on_lambda!($($test),+);
        $crate::host::on_edges!($($test),+);
    };
}

/// Makes a test in a process of its own of each of these functions, which take a [`Host`].
macro_rules! on_embedded {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test($crate::host::Host::Embedded).await;
                }
            )+
        }
    };
}

/// Makes a test on the deployed functions of each of these functions, which take a [`Host`].
macro_rules! on_lambda {
    ($($test:ident),+ $(,)?) => {
        $crate::host::on_deployed!(lambda, Lambda: $($test),+);
    };
}

/// Makes a test on every edge of each of these functions, which take a [`Host`].
macro_rules! on_edges {
    ($($test:ident),+ $(,)?) => {
        $crate::host::on_deployed!(worker, Worker: $($test),+);
        $crate::host::on_deployed!(spin, Spin: $($test),+);
    };
}

macro_rules! on_deployed {
    ($module:ident, $host:ident: $($test:ident),+) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $test() {
                    let wanted = $crate::deployment::DeployedHost::$host;
                    if let Some(host) = $crate::host::Host::deployed(wanted).await {
                        super::$test(host).await;
                    }
                }
            )+
        }
    };
}

pub(crate) use {on_deployed, on_edges, on_embedded, on_every_host, on_lambda};

impl Host {
    /// The deployment that the environment names, if it is served by `wanted`; else says so on a line of its own.
    pub(crate) async fn deployed(wanted: DeployedHost) -> Option<Self> {
        match deployment::given(wanted).await {
            Ok(deployment) => Some(Self::Deployed(deployment)),
            Err(reason) => {
                eprintln!("skipped: {reason}");
                None
            }
        }
    }

    /// The deployment that tests of this host share; none where each test has a network of its own.
    pub(crate) const fn deployment(self) -> Option<&'static Deployment> {
        match self {
            Self::Embedded => None,
            Self::Deployed(deployment) => Some(deployment),
        }
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
            Self::Deployed(deployment) => Server::deployed(deployment, &setup).await,
        }
    }
}
