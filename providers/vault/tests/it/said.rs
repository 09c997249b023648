//! All that is said on every way in and on all that comes after it, at TRACE and by every `Debug` and `Display`: no
//! token, no secret_id, no wrapping token, no JWT, no password, no key, no value and no lease.

use crate::certs::Authority;
use crate::hop::{Hop, WRAPPED, post_over, revoke_all, root};
use crate::issuer::{Issuer, Kubernetes, REVIEWER};
use secrecy::ExposeSecret;
use secretfig_source::{Ask, At, Clock, ErrorKind, Listing, Source, SourceError, Tick};
use secretfig_test_servers::{OpenBao, Postgres};
use secretfig_tests::{Hunt, Log, Marker};
use secretfig_vault::{Auth, Given, SecretId, Settings, Vault};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The machine's clock, which a test moves on.
struct Ahead(tokio::time::Instant, AtomicU64);

impl Clock for Ahead {
    fn tick(&self) -> Tick {
        Tick::from_start(self.0.elapsed() + Duration::from_secs(self.1.load(SeqCst)))
    }
    #[allow(clippy::disallowed_methods, reason = "a real server has real times")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

const POLICY: &str = r#"
    path "secret/data/*" { capabilities = ["read"] }
    path "secret/metadata/*" { capabilities = ["read", "list"] }
    path "secret/data/denied" { capabilities = ["deny"] }
    path "secret/metadata/denied" { capabilities = ["deny"] }
    path "old/*" { capabilities = ["read", "list"] }
    path "database/creds/app" { capabilities = ["read"] }
    path "database/static-creds/app-static" { capabilities = ["read"] }
    path "sys/leases/renew" { capabilities = ["update"] }
    path "sys/leases/revoke" { capabilities = ["update"] }
"#;

/// A server with secrets of every kind and every way in, and what is heard of it.
struct Scene {
    server: OpenBao,
    kubernetes: Kubernetes,
    issuer: Issuer,
    hop: Arc<Hop>,
    hunt: Hunt,
    folder: TempDir,
    role_id: String,
    password: String,
    /// What the server gave, as far as it is planted.
    known: Mutex<BTreeSet<String>>,
    _postgres: Postgres,
}

impl Scene {
    async fn new() -> Self {
        let (of_server, of_clients) = (Authority::new("of the server"), Authority::new("of clients"));
        let server = OpenBao::start_tls(&of_server.server()).await;
        let postgres = Postgres::start().await;
        postgres.give_roles_to(&server).await;
        let (certificate, key) = of_clients.client("app");
        let way = secretfig_transport::Settings::default();
        let way = way.extra_ca_pem(of_server.pem.as_bytes()).unwrap();
        let hop = Hop::over(way.client_identity_pem(certificate.as_bytes(), key.as_bytes()).unwrap());
        let hunt = Hunt::new();
        // what is before that is the same in all keys of this kind
        let lines: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
        hunt.plant("the client's key", Marker::new(&lines[48..]));
        let password = hunt.plant("the user's password", Marker::random()).text().to_owned();
        let (kubernetes, issuer, folder) =
            (Kubernetes::start().await, Issuer::new(), tempfile::tempdir().unwrap());
        let (role_id, known) = (String::new(), Mutex::default());
        let _postgres = postgres;
        let mut scene =
            Self { server, kubernetes, issuer, hop, hunt, folder, role_id, password, known, _postgres };
        scene.secrets().await;
        scene.ways_in(&of_clients.pem).await;
        scene
    }

    async fn root(&self, method: &str, path: &str, body: Value) -> Value {
        root(&self.server, method, path, body).await
    }

    async fn secrets(&self) {
        let value = |name: &str| self.hunt.plant(name, Marker::random()).text().to_owned();
        let field = value("the name of a field");
        self.root("POST", "sys/mounts/old", json!({ "type": "kv", "options": { "version": "1" } })).await;
        for (path, times) in [("db", 2), ("tree/a", 1), ("tree/b/c", 1), ("gone", 1), ("denied", 1)] {
            for n in 0..times {
                let data = json!({ "password": value(&format!("{path} {n}")), &field: value("a field") });
                self.root("POST", &format!("secret/data/{path}"), json!({ "data": data })).await;
            }
        }
        self.root("DELETE", "secret/data/gone", Value::Null).await;
        for path in ["old/db", "old/tree/a"] {
            self.root("POST", path, json!({ "password": value(path), &field: value("a field") })).await;
        }
        self.root("PUT", "sys/policies/acl/app", json!({ "policy": POLICY })).await;
    }

    async fn ways_in(&mut self, of_clients: &str) {
        for way in ["approle", "jwt", "kubernetes", "cert", "userpass"] {
            self.root("POST", &format!("sys/auth/{way}"), json!({ "type": way })).await;
        }
        let app = json!({ "token_policies": "app", "token_ttl": "1h" });
        let with = |more: Value| {
            let mut all = app.as_object().unwrap().clone();
            all.extend(more.as_object().unwrap().clone());
            Value::Object(all)
        };
        self.root("POST", "auth/approle/role/app", app.clone()).await;
        let role_id = self.root("GET", "auth/approle/role/app/role-id", Value::Null).await;
        self.role_id = role_id["data"]["role_id"].as_str().unwrap().to_owned();
        self.hunt.plant("the role_id", Marker::new(self.role_id.as_str()));
        let keys =
            json!({ "jwt_validation_pubkeys": [self.issuer.public_key()], "jwt_supported_algs": ["ES256"] });
        self.root("POST", "auth/jwt/config", keys).await;
        let jwt = json!({ "role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub" });
        self.root("POST", "auth/jwt/role/app", with(jwt)).await;
        let cluster = json!({
            "kubernetes_host": self.kubernetes.address,
            "kubernetes_ca_cert": Authority::new("cluster").pem,
            "token_reviewer_jwt": REVIEWER,
            "disable_local_ca_jwt": true,
        });
        self.root("POST", "auth/kubernetes/config", cluster).await;
        let bound =
            json!({ "bound_service_account_names": "app", "bound_service_account_namespaces": "shop" });
        self.root("POST", "auth/kubernetes/role/app", with(bound)).await;
        let trusted = json!({ "certificate": of_clients, "allowed_common_names": "app" });
        self.root("POST", "auth/cert/certs/app", with(trusted)).await;
        self.root("POST", "auth/userpass/users/ada", with(json!({ "password": self.password }))).await;
    }

    /// Sends as root and over the hop, so that what the server gives is known.
    async fn made(&self, path: &str, body: Value, wrap: bool) -> Value {
        let headers = if wrap { [WRAPPED].as_slice() } else { &[] };
        post_over(&*self.hop, &self.server, path, body.to_string().as_bytes(), headers).await
    }

    async fn secret_id(&self, wrap: bool) -> Given {
        let made = self.made("auth/approle/role/app/secret-id", json!({}), wrap).await;
        let given = if wrap { &made["wrap_info"]["token"] } else { &made["data"]["secret_id"] };
        Given::Text(given.as_str().unwrap().into())
    }

    async fn token(&self) -> String {
        let made = self.made("auth/token/create", json!({ "policies": ["app"], "ttl": "1h" }), false).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> Arc<Path> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Arc::from(path.as_path())
    }

    fn jwt(&self, name: &str, jwt: String) -> String {
        self.hunt.plant(name, Marker::new(jwt.as_str()));
        jwt
    }

    /// Every way in, each with what opens it.
    async fn good(&self) -> Vec<Auth> {
        let own = |mount: &str| mount.to_owned();
        let role_id = || Given::Text(self.role_id.as_str().into());
        let app = self.jwt("a JWT", self.issuer.jwt("vault", 600));
        let pod = self.jwt("a service account's token", self.issuer.service_account("app", "one", 600));
        self.kubernetes.knows(std::slice::from_ref(&pod));
        let plain = self.secret_id(false).await;
        let wrapped = self.secret_id(true).await;
        vec![
            Auth::Token(self.token().await.into()),
            Auth::TokenFile(self.file("token", &self.token().await)),
            Auth::AppRole { mount: own("approle"), role_id: role_id(), secret_id: SecretId::Plain(plain) },
            Auth::AppRole {
                mount: own("approle"),
                role_id: role_id(),
                secret_id: SecretId::Wrapped(wrapped),
            },
            Auth::Jwt { mount: own("jwt"), role: Some(own("app")), token: Given::Text(app.into()) },
            Auth::Kubernetes {
                mount: own("kubernetes"),
                role: own("app"),
                token: Given::File(self.file("jwt", &pod)),
            },
            Auth::Certificate { mount: own("cert"), role: Some(own("app")) },
            Auth::Userpass {
                mount: own("userpass"),
                user: own("ada"),
                password: Given::Text(self.password.as_str().into()),
            },
        ]
    }

    /// Every way in, each with what does not open it.
    async fn bad(&self) -> Vec<Auth> {
        let own = |mount: &str| mount.to_owned();
        let wrong = |name: &str| {
            let marker = self.hunt.plant(format!("a wrong {name}"), Marker::random());
            // as a header takes it
            let text: String = marker.text().chars().filter(char::is_ascii_alphanumeric).collect();
            self.hunt.plant(format!("a wrong {name} for a header"), Marker::new(text.as_str()));
            text
        };
        let given = |name: &str| Given::Text(wrong(name).into());
        let approle =
            |secret_id| Auth::AppRole { mount: own("approle"), role_id: given("role_id"), secret_id };
        let used = self.secret_id(true).await;
        let Given::Text(wrapping) = &used else { panic!("a wrapping token is a text") };
        let opened = json!({ "token": wrapping.expose_secret() });
        self.made("sys/wrapping/unwrap", opened, false).await;
        let over = self.jwt("a JWT that is over", self.issuer.jwt("vault", -3_600));
        vec![
            Auth::Token(wrong("token").into()),
            Auth::TokenFile(self.file("wrong", &wrong("token of a file"))),
            approle(SecretId::Plain(given("secret_id"))),
            approle(SecretId::Wrapped(given("wrapping token"))),
            approle(SecretId::Wrapped(used)),
            Auth::Jwt { mount: own("jwt"), role: Some(own("app")), token: Given::Text(over.into()) },
            Auth::Jwt { mount: own("jwt"), role: None, token: given("JWT") },
            Auth::Kubernetes { mount: own("kubernetes"), role: own("app"), token: given("account's token") },
            Auth::Certificate { mount: own("cert"), role: Some(own("nope")) },
            Auth::Userpass { mount: own("userpass"), user: own("ada"), password: given("password") },
            Auth::Userpass { mount: own("nowhere"), user: own("ada"), password: given("password") },
        ]
    }
}

impl Scene {
    fn source(&self, auth: Auth) -> (Vault, Arc<Ahead>) {
        let clock = Arc::new(Ahead(tokio::time::Instant::now(), AtomicU64::new(0)));
        let settings = Settings::new(self.server.address(), auth).unwrap();
        let settings = settings.known_mount("old", None).unwrap().timeout(Duration::from_secs(10));
        self.hunt.check_debug("the settings", &settings);
        (Vault::over(settings, self.hop.clone(), clock.clone()).unwrap(), clock)
    }

    fn heard<T: Debug>(&self, what: &str, answer: &Result<T, SourceError>) {
        // what the server has just made up is a secret from now on
        for (what, given) in self.hop.given() {
            if self.known.lock().unwrap().insert(given.clone())
                && let Some(telling) = telling(what, &given)
            {
                self.hunt.plant(what, Marker::new(telling));
            }
        }
        match answer {
            Ok(said) => self.hunt.check_debug(what, said),
            Err(e) => self.hunt.check_error(what, e),
        }
    }

    /// Asks for everything that is there, and for what is refused.
    async fn ask(&self, source: &Vault, all: bool) {
        let at = |name: &str, at: At| Ask::new(name).at(at);
        let asks = [
            Ask::new("secret/db"),
            at("secret/db", At::Previous),
            at("secret/db", At::Version("1".into())),
            Ask::new("secret/tree/*"),
            Ask::new("old/db"),
            Ask::new("old/tree/*"),
            Ask::new("database/static-creds/app-static"),
            Ask::new("secret/denied"),
            Ask::new("secret/none"),
            Ask::new("secret/gone"),
            at("secret/db", At::Version("9".into())),
            at("old/db", At::Previous),
            Ask::new("secret/../db"),
            Ask::new("nowhere/*"),
            Ask::new("database/creds/none"),
        ];
        for (n, ask) in asks.iter().enumerate() {
            let fetched = source.fetch(std::slice::from_ref(ask)).await.remove(0);
            assert_eq!(fetched.is_ok(), all && n < 7, "{ask}: {fetched:?}");
            if let Ok(fetched) = &fetched {
                self.hunt.check_display("a revision", &fetched.revision);
            }
            self.heard(&format!("{ask}"), &fetched);
            self.heard(&format!("{ask}, probed"), &source.probe(std::slice::from_ref(ask)).await.remove(0));
        }
        self.heard("a list", &source.list("secret/").await);
    }

    /// A whole life by one way: asked, renewed, revoked, and ended in order.
    async fn live(&self, auth: Auth) {
        let way = format!("{auth:?}");
        let again = !matches!(auth, Auth::Token(_) | Auth::TokenFile(_));
        let (source, clock) = self.source(auth);
        self.hop.forget();
        let identity = source.sign_in().await;
        assert!(identity.is_ok(), "{way}: {identity:?}");
        self.heard(&way, &identity);
        self.ask(&source, true).await;

        let minted = source.fetch(&[Ask::new("database/creds/app")]).await.remove(0);
        self.heard("a credential", &minted);
        let lease = minted.unwrap().lease.unwrap();
        self.hunt.check_debug("a lease", &lease);
        self.heard("a renewal", &source.renew(&lease).await);
        self.heard("a lease given back", &source.revoke(&lease).await);
        let e = source.renew(&lease).await;
        assert_eq!(e.as_ref().unwrap_err().kind(), ErrorKind::Absent, "{way}");
        self.heard("a renewal of what is over", &e);

        // its token nears its end: it is renewed, or asked for anew where somebody else renews it
        clock.1.store(2_500, SeqCst);
        self.heard("a fetch after two thirds", &source.fetch(&[Ask::new("secret/db")]).await.remove(0));
        let file = way == "token_file";
        assert_eq!(self.hop.count("renew-self"), usize::from(!file), "{way}");
        let lease = source.fetch(&[Ask::new("database/creds/app")]).await.remove(0).unwrap().lease.unwrap();
        revoke_all(&self.server).await;
        let fetched = source.fetch(&[Ask::new("secret/db")]).await.remove(0);
        assert_eq!(fetched.is_ok(), again, "{way}: {fetched:?}");
        assert!(source.lost(&lease), "{way}");
        self.heard("a fetch after the token was revoked", &fetched);
        if again {
            // revoked once more, and found out by a renewal, which warns
            revoke_all(&self.server).await;
            clock.1.store(5_000, SeqCst);
            let fetched = source.fetch(&[Ask::new("secret/db")]).await.remove(0);
            assert!(fetched.is_ok(), "{way}: {fetched:?}");
        }
        self.hunt.check_debug("a source", &source);
        self.hunt.check_debug("what it is", &source.info());
        source.close(Duration::from_secs(5)).await;
        assert_eq!(self.hop.count("revoke-self"), usize::from(again), "{way}");
    }
}

/// What of it nobody can know: a lease begins with the name of its role, and so does a user that was made.
fn telling<'a>(what: &str, given: &'a str) -> Option<&'a str> {
    match what {
        "a lease" => given.rsplit('/').next(),
        // not of a user that a person has named
        "a user" => given.strip_prefix("v-")?.split('-').max_by_key(|part| part.len()),
        _ => Some(given),
    }
}

#[tokio::test]
async fn no_way_in_and_nothing_after_it_says_a_secret() {
    let scene = Scene::new().await;
    let (log, _listening) = Log::listen();
    for way in 0..scene.good().await.len() {
        // anew for each: the one before has ended with all tokens revoked
        scene.live(scene.good().await.remove(way)).await;
    }
    for auth in scene.bad().await {
        let way = format!("{auth:?}, which is wrong");
        let (source, _) = scene.source(auth);
        let signed_in = source.sign_in().await;
        assert!(signed_in.is_err(), "{way}");
        scene.heard(&way, &signed_in);
        scene.heard(&way, &source.fetch(&[Ask::new("secret/db")]).await.remove(0));
        scene.hunt.check_debug("a source without a login", &source);
        source.close(Duration::from_secs(5)).await;
    }
    let [signed_in, not] = [scene.good().await.remove(0), scene.good().await.remove(2)];
    let (signed_in, _) = scene.source(signed_in);
    signed_in.sign_in().await.unwrap();
    scene.server.seal().await;
    scene.ask(&signed_in, false).await;
    scene.heard("a sealed server", &scene.source(not).0.sign_in().await);

    let text = log.text();
    for heard in ["TRACE", "hyper", "rustls", "WARN secretfig"] {
        assert!(text.contains(heard), "nothing of {heard} was heard: the log proves nothing");
    }
    let given = scene.hop.given();
    for what in ["a token", "a wrapping token", "a secret_id", "a lease", "a user", "a password"] {
        assert!(given.iter().any(|(of, _)| *of == what), "{what} is looked for");
    }
    scene.hunt.check("the log at TRACE", &text);
    scene.hunt.finish();
}
