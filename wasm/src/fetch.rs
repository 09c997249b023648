//! The host's `fetch` as the client of a protocol.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use secretfig::source::async_trait;
use secretfig::source::protocol::{Http, HttpError, HttpFault, Limits, Reply, Request};
use send_wrapper::SendWrapper;
use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use zeroize::Zeroizing;

/// The host's `fetch`: global, of whatever kind the host is.
///
/// It follows no redirect: a reply of 3xx is handed back as it is, and the browsers' opaque one as an empty `302`, so
/// that no token follows it. One deadline lies over the whole of headers and body, and a body is given up as soon as
/// it is larger than the limit, after decompression.
///
/// What it does not have, because no host offers it to `fetch`: a CA or a pin of one's own, a client certificate, a
/// proxy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fetch;

#[async_trait]
impl Http for Fetch {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        // there is one thread, and what JavaScript hands out may not leave it
        SendWrapper::new(exchange(request, limits)).await
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = fetch)]
    fn fetch(url: &str, init: &Init) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = AbortSignal, js_name = timeout)]
    fn abort_after(millis: f64) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(extends = Object)]
    type Init;
    #[wasm_bindgen(method, setter)]
    fn set_method(this: &Init, method: &str);
    #[wasm_bindgen(method, setter)]
    fn set_headers(this: &Init, headers: &Array);
    #[wasm_bindgen(method, setter)]
    fn set_body(this: &Init, body: &Uint8Array);
    #[wasm_bindgen(method, setter)]
    fn set_redirect(this: &Init, mode: &str);
    #[wasm_bindgen(method, setter)]
    fn set_signal(this: &Init, signal: &JsValue);

    type Response;
    #[wasm_bindgen(method, getter)]
    fn status(this: &Response) -> f64;
    #[wasm_bindgen(method, getter, js_name = type)]
    fn kind(this: &Response) -> String;
    #[wasm_bindgen(method, getter)]
    fn headers(this: &Response) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn body(this: &Response) -> Option<Stream>;

    type Stream;
    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn reader(this: &Stream) -> Result<Reader, JsValue>;

    type Reader;
    #[wasm_bindgen(method, catch)]
    fn read(this: &Reader) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn cancel(this: &Reader) -> Result<Promise, JsValue>;

    type Chunk;
    #[wasm_bindgen(method, getter)]
    fn done(this: &Chunk) -> bool;
    #[wasm_bindgen(method, getter)]
    fn value(this: &Chunk) -> JsValue;
}

async fn exchange(request: Request, limits: Limits) -> Result<Reply, HttpError> {
    let init: Init = Object::new().unchecked_into();
    init.set_method(request.method().as_str());
    init.set_headers(&headers_of(&request)?);
    // not `error`: Workers know no such mode
    init.set_redirect("manual");
    init.set_signal(
        &abort_after(millis(limits.deadline))
            .map_err(|_| cannot("this host has no `AbortSignal.timeout`"))?,
    );
    let body = (!request.payload().is_empty()).then(|| Uint8Array::from(request.payload().as_ref()));
    if let Some(body) = &body {
        init.set_body(body);
    }
    let sent = fetch(&request.url(), &init).map_err(|thrown| fault_of(&thrown))?;
    let answered = JsFuture::from(sent).await;
    if let Some(body) = body {
        wipe(&body);
    }
    let response: Response = answered.map_err(|thrown| fault_of(&thrown))?.unchecked_into();
    if response.kind() == "opaqueredirect" {
        return Ok(Reply::new(StatusCode::FOUND, HeaderMap::new(), Zeroizing::default()));
    }
    // a float's cast saturates
    let status =
        StatusCode::from_u16(response.status() as u16).map_err(|_| HttpError::new(HttpFault::Transport))?;
    let headers = headers_from(&response.headers());
    let body = read(response.body(), limits.max_bytes).await?;
    Ok(Reply::new(status, headers, body))
}

fn headers_of(request: &Request) -> Result<Array, HttpError> {
    let headers = Array::new();
    for (name, value) in request.headers() {
        let value =
            value.to_str().map_err(|_| cannot("a header that is no text cannot be sent from here"))?;
        headers.push(&Array::of2(&name.as_str().into(), &value.into()));
    }
    Ok(headers)
}

/// Those that are such as HTTP allows: the host has parsed them, so all are.
fn headers_from(headers: &JsValue) -> HeaderMap {
    let mut map = HeaderMap::new();
    for pair in Array::from(headers).iter() {
        let pair = Array::from(&pair);
        let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            map.append(name, value);
        }
    }
    map
}

async fn read(stream: Option<Stream>, max_bytes: usize) -> Result<Zeroizing<Vec<u8>>, HttpError> {
    let mut body = Zeroizing::new(Vec::new());
    let Some(stream) = stream else { return Ok(body) };
    let reader = stream.reader().map_err(|thrown| fault_of(&thrown))?;
    loop {
        let next = reader.read().map_err(|thrown| fault_of(&thrown))?;
        let chunk: Chunk = JsFuture::from(next).await.map_err(|thrown| fault_of(&thrown))?.unchecked_into();
        if chunk.done() {
            return Ok(body);
        }
        let Ok(bytes) = chunk.value().dyn_into::<Uint8Array>() else {
            return Err(HttpError::new(HttpFault::Transport));
        };
        let more = bytes.length() as usize;
        if more > max_bytes.saturating_sub(body.len()) {
            give_up(&reader);
            return Err(HttpError::new(HttpFault::TooLarge));
        }
        append(&mut body, &bytes, max_bytes);
        wipe(&bytes);
    }
}

/// Grows by hand: a `Vec` that grows by itself frees what it held unwiped.
fn append(body: &mut Zeroizing<Vec<u8>>, bytes: &Uint8Array, max_bytes: usize) {
    let held = body.len();
    let needed = held.saturating_add(bytes.length() as usize);
    if needed > body.capacity() {
        let room = needed.max(held.saturating_mul(2)).min(max_bytes.max(needed));
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.resize(needed, 0);
    if let Some(new) = body.get_mut(held..) {
        bytes.copy_to(new);
    }
}

fn wipe(bytes: &Uint8Array) {
    bytes.fill(0, 0, bytes.length());
}

/// Ends the transfer. Nobody waits for it, and how it ends is of no interest.
fn give_up(reader: &Reader) {
    if let Ok(cancelled) = reader.cancel() {
        spawn_local(async move {
            let _ = JsFuture::from(cancelled).await;
        });
    }
}

fn millis(deadline: Duration) -> f64 {
    // whole, and of a size that every timer takes
    (deadline.as_millis() as f64).clamp(1.0, f64::from(i32::MAX))
}

fn cannot(hint: &'static str) -> HttpError {
    HttpError::new(HttpFault::Misconfigured).hint(hint)
}

/// What was thrown, by its name and by the code of its cause; its message, which may quote a URL, is not looked at.
fn fault_of(thrown: &JsValue) -> HttpError {
    let name = text(thrown, "name");
    if matches!(name.as_str(), "TimeoutError" | "AbortError") {
        return HttpError::new(HttpFault::Timeout);
    }
    let code = match Reflect::get(thrown, &"cause".into()) {
        Ok(cause) if cause.is_object() => text(&cause, "code"),
        _ => String::new(),
    };
    // Node's own: other hosts do not tell
    let tls = ["CERT_", "ERR_TLS_", "ERR_SSL_", "UNABLE_TO_", "SELF_SIGNED_", "DEPTH_ZERO_SELF_SIGNED_"];
    let fault = match code.as_str() {
        code if tls.iter().any(|start| code.starts_with(start)) => HttpFault::Tls,
        "UND_ERR_CONNECT_TIMEOUT" | "UND_ERR_HEADERS_TIMEOUT" | "UND_ERR_BODY_TIMEOUT" => HttpFault::Timeout,
        _ => HttpFault::Transport,
    };
    HttpError::new(fault)
}

fn text(of: &JsValue, key: &str) -> String {
    // it throws where `of` is no object
    Reflect::get(of, &key.into()).ok().and_then(|value| value.as_string()).unwrap_or_default()
}
