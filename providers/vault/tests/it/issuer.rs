//! Who issues JWTs, and a Kubernetes that reviews those of its service accounts.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use rcgen::KeyPair;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// An issuer with one key.
pub(crate) struct Issuer(KeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    /// What verifies its signatures, PEM.
    pub(crate) fn public_key(&self) -> String {
        self.0.public_key_pem()
    }

    /// A JWT of `app`, for that audience; it ends so many seconds from now.
    pub(crate) fn jwt(&self, audience: &str, seconds: i64) -> String {
        self.sign(json!({ "sub": "app", "aud": audience }), seconds)
    }

    /// The token of a service account, as Kubernetes projects it; `id` tells one from another.
    pub(crate) fn service_account(&self, name: &str, id: &str, seconds: i64) -> String {
        let of = json!({ "namespace": "shop", "serviceaccount": { "name": name, "uid": "uid-1" } });
        let subject = format!("system:serviceaccount:shop:{name}");
        self.sign(json!({ "sub": subject, "jti": id, "kubernetes.io": of }), seconds)
    }

    fn sign(&self, mut claims: Value, seconds: i64) -> String {
        let now = get_current_timestamp();
        claims["iat"] = (now - 7_200).into();
        claims["nbf"] = (now - 7_200).into();
        claims["exp"] = now.saturating_add_signed(seconds).into();
        let key = EncodingKey::from_ec_der(&self.0.serialize_der());
        encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap()
    }
}

/// The part of a Kubernetes API server that reviews tokens: those that it was told of are good.
pub(crate) struct Kubernetes {
    pub(crate) address: String,
    known: Arc<Mutex<Vec<String>>>,
    reviewed: Arc<Mutex<Vec<String>>>,
}

/// As whom it lets itself be asked.
pub(crate) const REVIEWER: &str = "reviewer-of-tokens";

impl Kubernetes {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (known, reviewed) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (knows, reviews) = (known.clone(), reviewed.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(review(stream, knows.clone(), reviews.clone()));
            }
        });
        Self { address, known, reviewed }
    }

    /// From now on these tokens alone are good.
    pub(crate) fn knows(&self, tokens: &[String]) {
        *self.known.lock().unwrap() = tokens.to_vec();
    }

    /// The tokens that it was asked about, one by one.
    pub(crate) fn reviewed(&self) -> Vec<String> {
        self.reviewed.lock().unwrap().clone()
    }
}

async fn review(stream: TcpStream, known: Arc<Mutex<Vec<String>>>, reviewed: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    let (mut length, mut allowed) = (0, false);
    let mut first = String::new();
    stream.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => allowed = value == format!("Bearer {REVIEWER}"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let right_path = first.starts_with("POST /apis/authentication.k8s.io/v1/tokenreviews ");
    let (status, status_of) = match asked["spec"]["token"].as_str() {
        Some(token) if allowed && right_path => {
            reviewed.lock().unwrap().push(token.to_owned());
            ("201 Created", of(token, known.lock().unwrap().iter().any(|known| known == token)))
        }
        _ => ("403 Forbidden", Value::Null),
    };
    let review =
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status_of })
            .to_string();
    let reply = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{review}",
        review.len()
    );
    stream.write_all(reply.as_bytes()).await.unwrap();
}

/// What a review says: who that is, by the token's own claims, as the issuer of it would know.
fn of(token: &str, good: bool) -> Value {
    if !good {
        return json!({ "authenticated": false, "error": "token is not known here" });
    }
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims;
    let groups = ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"];
    json!({ "authenticated": true, "user": { "username": claims["sub"], "uid": "uid-1", "groups": groups } })
}
