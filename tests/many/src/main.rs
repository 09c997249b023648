//! What it takes to load two hundred secrets of AWS Secrets Manager, each request 20 ms away, beside what one would use instead:
//!
//! ```sh
//! cargo run --release --locked --manifest-path tests/many/Cargo.toml [-- ROUNDS]
//! ```
//!
//! Every contestant begins cold: with a client of its own and no connection. They take turns, each round beginning with another
//! one; a hop in front of the server adds the 20 ms, counts requests, and finds the longest chain of those that waited for each
//! other. Nothing here passes or fails; `core/docs/performance.md` says how to read the table, and keeps one.
#![allow(clippy::disallowed_methods, reason = "it measures: the machine's clock is what it wants")]

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
use aws_secretsmanager_caching::SecretsManagerCachingClient;
use figment::providers::{Format, Toml};
use futures_util::future::{LocalBoxFuture, join_all};
use secretfig::{Config, SecretString};
use secretfig_test_servers::{Ministack, Relay, longest_chain, python_of_moto};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

const MANY: usize = 200;
const AWAY: Duration = Duration::from_millis(20);
const REGION: &str = "us-east-1";

/// A contestant's name, and its load from that address.
type Contestant = (&'static str, fn(String) -> LocalBoxFuture<'static, ()>);

const CONTESTANTS: [Contestant; 8] = [
    ("**secretfig**, `Config::load()`", |at| Box::pin(ours(at))),
    ("AWS SDK, one after another", |at| Box::pin(one_by_one(at))),
    ("AWS SDK, all at once", |at| Box::pin(at_once(at))),
    ("AWS SDK, batches of 20, one after another", |at| Box::pin(batches(at))),
    ("AWS' caching client, one after another", |at| Box::pin(cached(at, false))),
    ("AWS' caching client, all at once", |at| Box::pin(cached(at, true))),
    ("boto3, one after another", |at| {
        Box::pin(boto(at, "for n in range(200): client.get_secret_value(SecretId=f'app/{n}')"))
    }),
    ("boto3, batches of 20, one after another", |at| {
        Box::pin(boto(
            at,
            "for n in range(0, 200, 20): client.batch_get_secret_value(SecretIdList=[f'app/{i}' for i in range(n, n + 20)])",
        ))
    }),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(5);
    let server = Ministack::start().await;
    for n in 0..MANY {
        server.put(&format!("app/{n}"), "value").await;
    }
    let hop = Relay::to(server.address(), AWAY).await;
    let mut took: Vec<Vec<Duration>> = vec![Vec::new(); CONTESTANTS.len()];
    let mut counted = vec![(0, 0); CONTESTANTS.len()];
    for round in 0..rounds {
        for turn in 0..CONTESTANTS.len() {
            let which = (round + turn) % CONTESTANTS.len();
            hop.passed();
            let began = Instant::now();
            CONTESTANTS[which].1(hop.address()).await;
            took[which].push(began.elapsed());
            let passed = hop.passed();
            counted[which] = (passed.len(), longest_chain(&passed));
        }
    }
    println!(
        "| {MANY} secrets, {} ms away | requests | longest chain | min ms | median ms | × min |",
        AWAY.as_millis()
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let least = |times: &[Duration]| times.iter().min().copied().unwrap_or_default().as_secs_f64() * 1e3;
    let first = least(&took[0]);
    for (n, (name, _)) in CONTESTANTS.iter().enumerate() {
        took[n].sort();
        let median = took[n][rounds / 2].as_secs_f64() * 1e3;
        let (min, (requests, chain)) = (least(&took[n]), counted[n]);
        println!("| {name} | {requests} | {chain} | {min:.0} | {median:.0} | {:.1} |", min / first);
    }
}

async fn ours(at: String) {
    let variables = [
        ("SECRET_PROVIDER", "aws"),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", &at),
        ("AWS_ACCESS_KEY_ID", "AKIAANY"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
    ];
    let mut toml = "[secrets]\n".to_owned();
    for n in 0..MANY {
        writeln!(toml, "k{n} = 'app/{n}'").expect("INVARIANT: text takes what is written");
    }
    let config = Config::<BTreeMap<String, SecretString>>::standard().env(variables).select("production");
    let config = config.merge(Toml::string(&toml)).load().await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.snapshot().len(), MANY);
}

fn client(at: &str) -> Client {
    let settings = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(at)
        .credentials_provider(Credentials::new("AKIAANY", "any", None, None, "static"));
    Client::from_conf(settings.build())
}

async fn one_by_one(at: String) {
    let client = client(&at);
    for n in 0..MANY {
        client.get_secret_value().secret_id(format!("app/{n}")).send().await.expect("a value");
    }
}

async fn at_once(at: String) {
    let client = client(&at);
    let gets = (0..MANY).map(|n| client.get_secret_value().secret_id(format!("app/{n}")).send());
    assert!(join_all(gets).await.iter().all(Result::is_ok));
}

async fn batches(at: String) {
    let client = client(&at);
    for n in (0..MANY).step_by(20) {
        let ids = (n..n + 20).map(|n| format!("app/{n}")).collect();
        let got =
            client.batch_get_secret_value().set_secret_id_list(Some(ids)).send().await.expect("a batch");
        assert_eq!(got.secret_values().len(), 20);
    }
}

async fn cached(at: String, at_once: bool) {
    let size = NonZeroUsize::new(1_000).expect("INVARIANT: it is not zero");
    let client = SecretsManagerCachingClient::new(client(&at), size, Duration::from_secs(300), false);
    let client = client.expect("a client");
    let names: Vec<String> = (0..MANY).map(|n| format!("app/{n}")).collect();
    let gets = names.iter().map(|name| client.get_secret_value(name, None, None, false));
    if at_once {
        assert!(join_all(gets).await.iter().all(Result::is_ok));
    } else {
        for get in gets {
            get.await.expect("a value");
        }
    }
}

/// A process of its own, as its users start one: its start-up is in the time.
async fn boto(at: String, load: &str) {
    let mut python = python_of_moto();
    let program =
        format!("import boto3\nclient = boto3.client('secretsmanager', endpoint_url='{at}')\n{load}");
    python.args(["-c", &program]).env("AWS_REGION", REGION).env("AWS_DEFAULT_REGION", REGION);
    python.env("AWS_ACCESS_KEY_ID", "AKIAANY").env("AWS_SECRET_ACCESS_KEY", "any");
    let ended = tokio::process::Command::from(python).status().await.expect("a Python");
    assert!(ended.success());
}
