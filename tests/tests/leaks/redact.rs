//! The redaction layer: structures of any shape, with values under the names of secrets, printed in every way that
//! programs print, and logged as text and as JSON. No value comes out, and all that is none does.

use crate::ground::Ground;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use secretfig::redact::Redact;
use secretfig_tests::Log;
use std::cell::Cell;
use std::fmt;
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;
use url::form_urlencoded;

/// Names of secrets, in the spellings of several worlds.
const HIDDEN: [&str; 12] = [
    "password",
    "user.passwd",
    "apiKey",
    "API_KEY",
    "client_secret",
    "access-token",
    "token",
    "private_key",
    "credentials",
    "Authorization",
    "sessionToken",
    "DB_PASSWORD",
];
/// Names of others, some of them about secrets, or nearly the same.
const SHOWN: [&str; 12] = [
    "user",
    "host",
    "port",
    "secret_name",
    "token_count",
    "key_id",
    "secretary",
    "tokenizer",
    "items",
    "value",
    "passenger",
    "tokenTtl",
];
/// Where a value may be missing in the output: what is written without quotes has no end of its own.
#[derive(Clone, Debug)]
enum Node {
    /// A value that is none: `plain` and its number.
    Plain(u16),
    Number(u16),
    /// The marker of that number, as a text or (the one of digits) as a number.
    Secret(usize),
    Table(Vec<(bool, usize, Node)>),
    List(Vec<Node>),
    Some(Box<Node>),
    None,
}

fn nodes() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        4 => any::<u16>().prop_map(Node::Plain),
        2 => any::<u16>().prop_map(Node::Number),
        1 => Just(Node::None),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            3 => table(inner.clone()),
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            1 => inner.prop_map(|node| Node::Some(Box::new(node))),
        ]
    })
}

fn table(inner: impl Strategy<Value = Node>) -> impl Strategy<Value = Node> {
    prop::collection::vec((any::<bool>(), 0..HIDDEN.len(), inner, 0..3_usize), 1..6).prop_map(|fields| {
        let field =
            |(hidden, name, node, marker)| (hidden, name, if hidden { planted(node, marker) } else { node });
        Node::Table(fields.into_iter().map(field).collect())
    })
}

/// The same shape with nothing but values of secrets in it.
fn planted(node: Node, marker: usize) -> Node {
    match node {
        Node::Plain(_) | Node::Number(_) | Node::Secret(_) => Node::Secret(marker),
        Node::Table(fields) => {
            let field = |(hidden, name, node)| (hidden, name, planted(node, marker));
            Node::Table(fields.into_iter().map(field).collect())
        }
        Node::List(nodes) => Node::List(nodes.into_iter().map(|node| planted(node, marker)).collect()),
        Node::Some(node) => Node::Some(Box::new(planted(*node, marker))),
        Node::None => Node::None,
    }
}

fn name(hidden: bool, name: usize) -> &'static str {
    if hidden { HIDDEN[name] } else { SHOWN[name] }
}

/// A structure as a derived `Debug` prints it, or as a map does.
struct Printed<'a> {
    node: &'a Node,
    markers: &'a [String],
    as_map: bool,
}

impl Printed<'_> {
    fn of<'a>(&'a self, node: &'a Node) -> Printed<'a> {
        Printed { node, ..*self }
    }
}

impl fmt::Debug for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Node::Plain(n) => write!(f, "{:?}", plain(*n)),
            Node::Number(n) => write!(f, "{}", number(*n)),
            Node::Secret(n) => match self.markers[*n].parse::<u64>() {
                Ok(number) if self.as_map => write!(f, "{number}"),
                _ => write!(f, "{:?}", self.markers[*n]),
            },
            Node::Table(fields) if self.as_map => f
                .debug_map()
                .entries(fields.iter().map(|(hidden, n, node)| (name(*hidden, *n), self.of(node))))
                .finish(),
            Node::Table(fields) => {
                let mut table = f.debug_struct("Table");
                for (hidden, n, node) in fields {
                    table.field(name(*hidden, *n), &self.of(node));
                }
                table.finish()
            }
            Node::List(nodes) => f.debug_list().entries(nodes.iter().map(|node| self.of(node))).finish(),
            Node::Some(node) => f.debug_tuple("Some").field(&self.of(node)).finish(),
            Node::None => f.write_str("None"),
        }
    }
}

fn plain(n: u16) -> String {
    format!("plain<{n}>, \"{{it's}}\" \\ end")
}

fn number(n: u16) -> u32 {
    1_000_000 + u32::from(n)
}

impl Node {
    fn json(&self, markers: &[String]) -> serde_json::Value {
        match self {
            Node::Plain(n) => plain(*n).into(),
            Node::Number(n) => number(*n).into(),
            Node::Secret(n) => markers[*n].parse::<u64>().map_or(markers[*n].clone().into(), Into::into),
            Node::Table(fields) => {
                let field = |(hidden, n, node): &(bool, usize, Node)| {
                    (name(*hidden, *n).to_owned(), node.json(markers))
                };
                serde_json::Value::Object(fields.iter().map(field).collect())
            }
            Node::List(nodes) => nodes.iter().map(|node| node.json(markers)).collect(),
            Node::Some(node) => node.json(markers),
            Node::None => serde_json::Value::Null,
        }
    }

    /// The leaves of its tables, and what has to be left of each in the output.
    fn pairs<'a>(&self, markers: &'a [String], pairs: &mut Vec<(&'static str, std::borrow::Cow<'a, str>)>) {
        if let Node::Table(fields) = self {
            for (hidden, n, node) in fields {
                match node {
                    Node::Plain(n_plain) => {
                        pairs.push((name(*hidden, *n), format!("plain<{n_plain}>").into()));
                    }
                    Node::Secret(marker) => pairs.push((name(*hidden, *n), (&*markers[*marker]).into())),
                    node if !hidden => node.pairs(markers, pairs),
                    _ => {}
                }
            }
        }
    }

    fn kept(&self, kept: &mut Vec<String>) {
        match self {
            Node::Plain(n) => kept.push(format!("plain<{n}>")),
            Node::Number(n) => kept.push(number(*n).to_string()),
            Node::Table(fields) => fields.iter().for_each(|(.., node)| node.kept(kept)),
            Node::List(nodes) => nodes.iter().for_each(|node| node.kept(kept)),
            Node::Some(node) => node.kept(kept),
            Node::Secret(_) | Node::None => {}
        }
    }
}

pub(crate) fn hunt(ground: &Ground, cases: u32) {
    let markers: Vec<String> = ground.markers.iter().map(|(_, marker)| marker.text().to_owned()).collect();
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    let (texts, values) = (Cell::new(0), Cell::new(0));
    for _ in 0..cases {
        let node = table(nodes()).new_tree(&mut runner).unwrap().current();
        for (way, text) in ways(&node, &markers) {
            let (human, json) = (Log::default(), Log::default());
            let subscriber = Registry::default()
                .with(Redact::around(
                    tracing_subscriber::fmt::layer().with_ansi(false).with_writer(human.clone()),
                ))
                .with(Redact::around(tracing_subscriber::fmt::layer().json().with_writer(json.clone())));
            tracing::subscriber::with_default(subscriber, || {
                let _span = tracing::info_span!("of", text = text.as_str()).entered();
                tracing::info!(text = ?text, "{text}");
            });
            let (human, json) = (human.text(), json.text());
            let parsed: serde_json::Value =
                serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
            let shown =
                [parsed["fields"]["message"].as_str().unwrap(), parsed["span"]["text"].as_str().unwrap()];
            let mut kept = Vec::new();
            match way {
                "query" | "pairs" | "list of pairs" => {
                    let mut pairs = Vec::new();
                    node.pairs(&markers, &mut pairs);
                    kept.extend(
                        pairs
                            .into_iter()
                            .map(|(_, value)| value.into_owned())
                            .filter(|value| value.starts_with("plain<")),
                    );
                    if way == "query" {
                        kept.iter_mut().for_each(|kept| {
                            *kept = form_urlencoded::byte_serialize(kept.as_bytes()).collect();
                        });
                    }
                }
                // of two fields of one name, an object keeps the last
                "json"
                | "pretty json"
                | "json in debug"
                | "json in json"
                | "json first in a list"
                | "json in Some" => {
                    let again = node.json(&markers).to_string();
                    node.kept(&mut kept);
                    kept.retain(|kept| again.contains(kept.as_str()));
                }
                _ => node.kept(&mut kept),
            }
            for value in &kept {
                for shown in shown.iter().copied().chain([human.as_str()]) {
                    assert!(
                        shown.contains(value.as_str()),
                        "{way}: `{value}` is not in\n{shown}\nof\n{text}"
                    );
                }
            }
            texts.set(texts.get() + 1);
            values.set(values.get() + kept.len());
            ground.hunt.check(format!("the redaction layer over {way}"), human + &json);
        }
    }
    #[allow(clippy::print_stdout, reason = "the figure that a run is kept for")]
    {
        println!("redaction: {cases} structures in {} texts, {} values kept", texts.get(), values.get());
    }
}

/// A structure in every way in which programs print one.
fn ways(node: &Node, markers: &[String]) -> Vec<(&'static str, String)> {
    let printed = |as_map| Printed { node, markers, as_map };
    let json = node.json(markers);
    let mut pairs = Vec::new();
    node.pairs(markers, &mut pairs);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
    let quoted = pairs.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(" ");
    let list: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![
        ("debug", format!("{:?}", printed(false))),
        ("pretty debug", format!("{:#?}", printed(false))),
        ("debug of a map", format!("{:?}", printed(true))),
        ("pretty debug of a map", format!("{:#?}", printed(true))),
        ("debug in debug", format!("Reply {{ body: {:?}, status: 200 }}", format!("{:?}", printed(true)))),
        ("debug first in a tuple", format!("{:?}", (format!("{:?}", printed(false)), 200))),
        ("pretty debug in Some", format!("{:#?}", Some(format!("{:?}", printed(true))))),
        ("json", json.to_string()),
        ("pretty json", format!("{json:#}")),
        ("json in debug", format!("Reply {{ body: {:?}, status: 200 }}", json.to_string())),
        ("json first in a list", format!("{:?}", [json.to_string(), "end".to_owned()])),
        ("json in Some", format!("{:#?}", Some(json.to_string()))),
        ("list of pairs", format!("{list:?}")),
        (
            "json in json",
            serde_json::json!({"body": serde_json::json!({"body": json.to_string()}).to_string()})
                .to_string(),
        ),
        ("query", format!("GET https://h:8443/path?{query}")),
        ("pairs", quoted),
    ]
}
