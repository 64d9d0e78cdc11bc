//! The server as a program, for tests that are not Rust or need a judge of their own process.

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;
use sn17_judge_server::{ModelServer, greener};

/// An OpenAI-compatible server whose model says that the less green one of two pictures is the worse one.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The key that requests must bring.
    #[arg(long)]
    api_key: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let server =
        ModelServer::start(args.listen, args.api_key, greener).await.context("cannot listen there")?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "judging on {}", server.url())?;
    stdout.flush()?;
    Ok(server.run().await?)
}
