//! What is asked of a service, and what happens to its secrets meanwhile.

use super::answers::{
    ALIVE, Answer, CURRENT, DEGRADED, NOT_FOUND, PREVIOUS, READY, UNASSISTED, UNAUTHORIZED, json, origins,
    revision,
};
use super::client::{Reply, idle, send};
use super::place::Place;
use super::process::{Ended, Process};
use super::{LIMIT, Provider, Service, until};
use crate::{Hunt, Marker};
use std::cell::{Cell, RefCell};
use std::net::{SocketAddr, TcpListener};

impl Service {
    /// Serves all routes; follows two rotations and stands a bad one; ends when it is asked to; says no value.
    ///
    /// # Panics
    /// With what is otherwise.
    pub async fn serves(&self, provider: Provider) {
        let hunt = Hunt::new();
        let place = Place::whole(provider, &hunt).await;
        let mut process = Process::start(self, [self.variables(), place.variables(self.folder)].concat());
        let at = process.address(self).await;
        let client = Client::new(at, hunt);

        client.routes(&place.config_folder(self.folder), provider).await;
        client.rotations(&place).await;

        // whoever keeps a connection open must not keep the service from ending
        let kept = idle(at).await;
        process.signal(if provider == Provider::Files { "-TERM" } else { "-INT" }).await;
        let ended = process.ended().await;
        drop(kept);
        assert!(ended.status.success(), "{}\n{}", ended.status, ended.err);
        client.nothing_leaked(&ended);
        println!("{} on {provider:?}: {} answers as owed, 2 rotations", self.name, client.answers.get());
        client.hunt.finish();
    }

    /// Does without the secret that is optional, and has nothing to complain of.
    ///
    /// # Panics
    /// With what is otherwise.
    pub async fn does_without_what_is_optional(&self, provider: Provider) {
        let hunt = Hunt::new();
        let place = Place::least(provider, &hunt).await;
        let mut process = Process::start(self, [self.variables(), place.variables(self.folder)].concat());
        let client = Client::new(process.address(self).await, hunt);
        client.owed("GET", "/ready", None, READY).await;
        let token = client.token().await;
        client.owed("GET", "/me", Some(&token), UNASSISTED).await;
        // a new revision of something else is a look at everything
        place.plant(&client.hunt, "jwt/signing_key").await;
        until("the token was signed with the key before", async || {
            let reply = client.ask("GET", "/me", Some(&token)).await;
            reply.body.contains("previous").then_some(())
        })
        .await;
        process.signal("-TERM").await;
        let ended = process.ended().await;
        assert!(ended.status.success(), "{}\n{}", ended.status, ended.err);
        let complaints = ended.err.lines().filter(|line| line.contains(" secretfig"));
        let complaints: Vec<&str> =
            complaints.filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        client.nothing_leaked(&ended);
        client.hunt.finish();
    }

    /// Tells three faults of two layers in one report, and ends with 1.
    ///
    /// # Panics
    /// With what is otherwise.
    pub async fn refuses(&self, provider: Provider) {
        let hunt = Hunt::new();
        let place = Place::empty(provider, &hunt).await;
        place.set("database/host", "db.internal").await;
        place.plant(&hunt, "database/username").await;
        let short = hunt.plant("a key that is too short", Marker::new(Marker::number().text()));
        place.set("jwt/signing_key", short.text()).await;
        let port = hunt.plant("a port that is none", Marker::random());

        let variables =
            [self.variables(), place.variables(self.folder), vec![("APP_SERVER__PORT", port.text().into())]];
        let ended = Process::start(self, variables.concat()).ended().await;
        assert_eq!((ended.status.code(), &*ended.out), (Some(1), ""), "{}", ended.err);
        let lines: Vec<&str> = ended.err.lines().map(str::trim).collect();
        assert!(lines.contains(&"3 faults"), "{}", ended.err);
        for begins in
            ["server.port \u{2190} variable `APP_SERVER__PORT`", "database.password", "jwt.signing_key"]
        {
            let count = lines.iter().filter(|line| line.starts_with(begins)).count();
            assert_eq!(count, 1, "`{begins}`:\n{}", ended.err);
        }
        hunt.check("standard error", &ended.err);
        println!("{} on {provider:?}: 3 faults in one report", self.name);
        hunt.finish();
    }

    /// Serves under an IPv6 address, and prints it as an address that can be used.
    ///
    /// # Panics
    /// With what is otherwise; where the machine has no IPv6, too.
    pub async fn serves_ipv6(&self) {
        let hunt = Hunt::new();
        let place = Place::whole(Provider::Files, &hunt).await;
        let variables =
            [self.variables(), place.variables(self.folder), vec![("APP_SERVER__HOST", "::1".into())]];
        let mut process = Process::start(self, variables.concat());
        let at = process.address(self).await;
        assert!(at.is_ipv6(), "{at}");
        let client = Client::new(at, hunt);
        client.owed("GET", "/ready", None, READY).await;
        process.signal("-TERM").await;
        let ended = process.ended().await;
        assert!(ended.status.success(), "{}\n{}", ended.status, ended.err);
        client.nothing_leaked(&ended);
        client.hunt.finish();
    }

    /// A port that is taken ends it with 1, and with the name of the variable that says another.
    ///
    /// # Panics
    /// With what is otherwise.
    pub async fn says_what_is_in_its_way(&self) {
        let hunt = Hunt::new();
        let place = Place::whole(Provider::Files, &hunt).await;
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let variables =
            [self.variables(), place.variables(self.folder), vec![("APP_SERVER__PORT", port.into())]];
        let ended = Process::start(self, variables.concat()).ended().await;
        assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
        let says = format!("{}: no listening on 127.0.0.1:", self.name);
        let line = ended.err.lines().find(|line| line.starts_with(&says)).unwrap_or_default();
        assert!(line.contains("address in use") && line.contains("APP_SERVER__PORT"), "{}", ended.err);
        assert!(!ended.err.contains("ERROR secretfig"), "what is in its way is the port: {}", ended.err);
        hunt.check("standard error", &ended.err);
        hunt.finish();
    }
}

struct Client {
    at: SocketAddr,
    hunt: Hunt,
    /// Tokens are secrets of whoever asked for them: they are looked for in all that is printed.
    tokens: RefCell<Vec<String>>,
    answers: Cell<usize>,
}

impl Client {
    fn new(at: SocketAddr, hunt: Hunt) -> Self {
        Self { at, hunt, tokens: RefCell::default(), answers: Cell::default() }
    }

    /// Every route, without a token, with a bad one and with a good one.
    async fn routes(&self, folder: &str, provider: Provider) {
        self.owed("GET", "/health", None, ALIVE).await;
        self.owed("GET", "/ready", None, READY).await;
        self.owed("GET", "/nowhere", None, NOT_FOUND).await;
        let token = self.token().await;
        let cut_off = &token[..token.len() - 4];
        for path in ["/me", "/config"] {
            for bearer in [None, Some(""), Some("joe"), Some(cut_off)] {
                let reply = self.owed("GET", path, bearer, UNAUTHORIZED).await;
                assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{path}: {}", reply.head);
            }
        }
        self.owed("GET", "/me", Some(&token), CURRENT).await;
        for scheme in ["bearer", "BEARER", "Bearer  "] {
            let reply = self.ask_with("GET", "/me", Some(&format!("{scheme} {token}"))).await;
            assert_eq!(reply.answer(), CURRENT, "`{scheme}`: {}", reply.head);
        }
        for credentials in [token.clone(), format!("Basic {token}"), format!("Bearer{token}")] {
            let reply = self.ask_with("GET", "/me", Some(&credentials)).await;
            assert_eq!(reply.answer(), UNAUTHORIZED, "{}", reply.head);
        }
        let said = self.ask("GET", "/config", Some(&token)).await;
        assert_eq!(said.answer(), json(&origins(folder, provider.scheme(), &said.body)), "{}", said.head);
        let head = self.ask("HEAD", "/health", None).await;
        assert_eq!((head.status, &*head.body), (200, ""), "{}", head.head);
    }

    /// Two keys in turn, and between them one that no token may be signed with.
    async fn rotations(&self, place: &Place) {
        let first = self.token().await;
        let before = self.revision_of_key(&first).await;
        place.plant(&self.hunt, "jwt/signing_key").await;
        self.becomes("/me", Some(&first), PREVIOUS).await;
        let second = self.token().await;
        self.owed("GET", "/me", Some(&second), CURRENT).await;
        let after = self.revision_of_key(&second).await;
        assert_ne!(before, after);

        let short = self.hunt.plant("a key that is too short", Marker::new(Marker::number().text()));
        place.set("jwt/signing_key", short.text()).await;
        self.becomes("/ready", None, DEGRADED).await;
        self.owed("GET", "/me", Some(&second), CURRENT).await;
        assert_eq!(self.revision_of_key(&second).await, after, "the last good one is served");

        place.plant(&self.hunt, "jwt/signing_key").await;
        self.becomes("/me", Some(&second), PREVIOUS).await;
        self.becomes("/ready", None, READY).await;
        self.owed("GET", "/me", Some(&first), UNAUTHORIZED).await;
        let third = self.token().await;
        self.owed("GET", "/me", Some(&third), CURRENT).await;
    }

    fn nothing_leaked(&self, ended: &Ended) {
        for token in self.tokens.borrow().iter() {
            // head and claims are nobody's secret, the signature is what makes it a token
            let signature = token.rsplit('.').next().unwrap_or_default();
            self.hunt.plant("a token", Marker::new(signature));
        }
        self.hunt.check("standard output", &ended.out);
        self.hunt.check("standard error", &ended.err);
    }

    async fn revision_of_key(&self, token: &str) -> String {
        let said = self.ask("GET", "/config", Some(token)).await;
        revision(&said.body, "jwt.signing_key").expect("it has a revision").to_owned()
    }

    /// A new token.
    async fn token(&self) -> String {
        let reply = self.ask("POST", "/token", None).await;
        let token = reply.body.strip_prefix(r#"{"token":""#).and_then(|rest| rest.strip_suffix(r#""}"#));
        let token = token.unwrap_or_else(|| panic!("no token: {}", reply.head)).to_owned();
        assert_eq!(reply.answer(), json(&reply.body), "{}", reply.head);
        assert_eq!(token.split('.').count(), 3);
        self.tokens.borrow_mut().push(token.clone());
        token
    }

    /// Asks, and holds the reply to the answer that is owed.
    async fn owed(&self, method: &str, path: &str, bearer: Option<&str>, owed: Answer<'_>) -> Reply {
        let reply = self.ask(method, path, bearer).await;
        assert_eq!(reply.answer(), owed, "{method} {path}: {}", reply.head);
        reply
    }

    /// Asks again until the answer is that one.
    async fn becomes(&self, path: &str, bearer: Option<&str>, owed: Answer<'_>) {
        let asked = async || {
            let reply = self.ask("GET", path, bearer).await;
            assert_eq!(reply.status, 200, "no request fails meanwhile: {path}: {}", reply.head);
            (reply.answer() == owed).then_some(())
        };
        let before = self.answers.get();
        until(&format!("GET {path} is answered {owed:?}"), asked).await;
        // how often it was asked is the machine's business
        self.answers.set(before + 1);
    }

    async fn ask(&self, method: &str, path: &str, bearer: Option<&str>) -> Reply {
        self.ask_with(method, path, bearer.map(|token| format!("Bearer {token}")).as_deref()).await
    }

    async fn ask_with(&self, method: &str, path: &str, credentials: Option<&str>) -> Reply {
        let sent = tokio::time::timeout(LIMIT, send(self.at, method, path, credentials)).await;
        let reply = sent.unwrap_or_else(|_| panic!("no answer within {LIMIT:?}: {method} {path}"));
        self.answers.set(self.answers.get() + 1);
        self.hunt.check(format!("{method} {path} {}, head", reply.status), &reply.head);
        if !reply.body.is_empty() {
            self.hunt.check(format!("{method} {path} {}, body", reply.status), &reply.body);
        }
        reply
    }
}
