//! Cases: what was put is what comes out.

use super::scene::{Outcome, Scene, holds};
use crate::{Exposed, Format, Node, Reading};

/// Texts that something on the way likes to interpret.
const TEXTS: [(&str, &str); 12] = [
    ("leading zeros", "00123"),
    ("blanks around it", " padded "),
    ("a boolean's word", "true"),
    ("null's word", "null"),
    ("quotes around it", "\"quoted\""),
    ("braces that are no JSON", "{x=1}"),
    ("brackets that are no list", "[a, \"b, c\"]"),
    ("letters beyond ASCII", "🔑 é ẞ"),
    ("line breaks inside", "one\r\ntwo\n\nthree"),
    ("escapes that are none", "\\n \\u0041 %20 &amp; +"),
    ("dollars and a tab", "\t$HOME ${HOME} $$"),
    ("a line of dotenv", "NAME='value' # no comment"),
];

pub(super) async fn text(scene: &Scene<'_>) -> Outcome {
    for (n, (what, text)) in TEXTS.iter().enumerate() {
        let name = scene.stage.name(&format!("text-{n}"));
        scene.stage.put(&name, text.as_bytes()).await;
        let fetched = scene.get(&name).await?;
        scene.same(&fetched, text, what)?;
    }
    Ok(())
}

pub(super) async fn large(scene: &Scene<'_>) -> Outcome {
    let name = scene.stage.name("large");
    let part = scene.value("large", 1);
    let value: String = part.chars().cycle().take(scene.stage.largest()).collect();
    scene.stage.put(&name, value.as_bytes()).await;
    let fetched = scene.get(&name).await?;
    scene.same(&fetched, &value, "the largest value")
}

pub(super) async fn object(scene: &Scene<'_>) -> Outcome {
    let name = scene.stage.name("object");
    let user = scene.value("object", 1);
    // the number's last digit shows whether its literal is kept
    let text = format!(r#"{{"user": "{user}", "port": 5432.50, "list": ["a", ""], "tls": {{"on": true}}}}"#);
    scene.stage.put(&name, text.as_bytes()).await;
    let fetched = scene.get(&name).await?;
    let whole = Reading { field: None, format: Format::Auto, ..scene.stage.reading() };
    let node = scene.read(&fetched, &whole, "a JSON object")?;
    let leaf = |field: &str, is: &dyn Fn(Exposed<'_>) -> bool| match node.field(field) {
        Some(Node::Leaf(sealed)) => is(sealed.expose_secret()),
        _ => false,
    };
    holds(leaf("user", &|v| matches!(v, Exposed::Text(t) if t == user)), "its text is another one")?;
    let number = scene.stage.number("5432.50");
    holds(leaf("port", &|v| matches!(v, Exposed::Number(n) if n == number)), "its number is another one")?;
    holds(leaf("tls.on", &|v| matches!(v, Exposed::Bool(true))), "its boolean is another one")?;
    holds(matches!(node.field("list"), Some(Node::List(l)) if l.len() == 2), "its list is another one")
}

pub(super) async fn binary(scene: &Scene<'_>) -> Outcome {
    let all: Vec<u8> = (0..=255).collect();
    for (n, (what, bytes)) in
        [("no UTF-8", &[0xff, 0x00, 0xc3, 0x28][..]), ("a NUL inside", b"a\0b"), ("every byte", &all)]
            .into_iter()
            .enumerate()
    {
        let name = scene.stage.name(&format!("bytes-{n}"));
        scene.stage.put(&name, bytes).await;
        let fetched = scene.get(&name).await?;
        holds(scene.bytes(&fetched, what)? == bytes, format!("{what}: the bytes are others"))?;
    }
    Ok(())
}

pub(super) async fn empty(scene: &Scene<'_>) -> Outcome {
    let name = scene.stage.name("empty");
    scene.stage.put(&name, b"").await;
    let fetched = scene.get(&name).await?;
    holds(scene.bytes(&fetched, "nothing")?.is_empty(), "something came where nothing was put")
}
