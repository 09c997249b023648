//! Documents and files that end anywhere.

use crate::ground::Ground;
use crate::types::{Closed, Plain};
use figment::providers::{Format as _, Json, Toml};
use secretfig::testing::FakeSource;
use secretfig::{Config, Format, SecretLayer, Strict, Wanted};
use serde::Deserialize;

#[derive(Deserialize)]
#[allow(dead_code)]
struct App {
    a: Plain,
    b: Closed,
    missing: Strict<u8>,
}

pub(crate) fn hunt(ground: &Ground) {
    for (shape, marker) in &ground.markers {
        let text = marker.text();
        let quoted = serde_json::to_string(text).unwrap();
        let json = format!(
            r#"{{"a": {{"field": {quoted}, "list": [{quoted}]}}, "b": {{"known": {quoted}}}, "z": {quoted}}}"#
        );
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let toml = toml::to_string(&value).unwrap();
        let line = text.replace('\\', "\\\\").replace('"', "\\\"");
        let dotenv = format!(
            "A=\"{line}\"\nexport B='{}'\nC={}\n{line}\nD=\"{line}\" {line}\n",
            text.replace('\'', ""),
            text.replace('\n', " ")
        );
        for (name, format, whole) in [
            ("JSON", Format::Json, &json),
            ("TOML", Format::Toml, &toml),
            ("dotenv", Format::Dotenv, &dotenv),
        ] {
            let cuts = (0..=whole.len()).filter(|cut| whole.is_char_boundary(*cut));
            for cut in cuts {
                let part = &whole[..cut];
                for (how, format) in [("told", format), ("guessed", Format::Auto)] {
                    let source = FakeSource::new().with("all", part);
                    let layer = SecretLayer::from(source).put("", Wanted::new("all").format(format));
                    let path = format!("{name} of {shape}, cut off, format {how}");
                    ground.fails(&path, Config::<App>::builder().merge(layer));
                }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        for cut in (0..=toml.len()).filter(|cut| toml.is_char_boundary(*cut)) {
            std::fs::write(folder.path().join("config.toml"), &toml[..cut]).unwrap();
            let env = [("APP_CONFIG_DIR", folder.path().as_os_str())];
            ground.fails(&format!("config.toml of {shape}, cut off"), Config::<App>::standard().env(env));
            let figment = Config::<App>::builder().merge(Toml::string(&toml[..cut]));
            ground.fails(&format!("figment's TOML of {shape}, cut off"), figment);
        }
        for cut in (0..=json.len()).filter(|cut| json.is_char_boundary(*cut)) {
            let figment = Config::<App>::builder().merge(Json::string(&json[..cut]));
            ground.fails(&format!("figment's JSON of {shape}, cut off"), figment);
        }
        let odd = [
            format!("{text}\n"),
            format!("{text} = 1\n{text} = 2"),
            format!("a = {text}"),
            format!("a = [{text}]"),
            format!("[{text}"),
            format!("a = 1979-05-27T{text}"),
            format!("a = '''{text}"),
            format!("{{\"a\": 1, \"a\": {quoted}}}"),
            format!("{{\"a\": \"\\u{text}\"}}"),
            format!("{{\"a\": {text}}}"),
            format!("{{\"a\": {}{quoted}{}}}", "[".repeat(70), "]".repeat(70)),
        ];
        for text in odd {
            for (name, format) in [("JSON", Format::Json), ("TOML", Format::Toml), ("dotenv", Format::Dotenv)]
            {
                let source = FakeSource::new().with("all", &text);
                let layer = SecretLayer::from(source).put("a", Wanted::new("all").format(format));
                ground.fails(&format!("odd {name} of {shape}"), Config::<App>::builder().merge(layer));
            }
            std::fs::write(folder.path().join("config.toml"), &text).unwrap();
            let env = [("APP_CONFIG_DIR", folder.path().as_os_str())];
            ground.fails(&format!("odd config.toml of {shape}"), Config::<App>::standard().env(env));
            let figment = Config::<App>::builder().merge(Toml::string(&text)).merge(Json::string(&text));
            ground.fails(&format!("odd TOML and JSON by figment of {shape}"), figment);
        }
        let bytes = [text.as_bytes(), &[0xff]].concat();
        std::fs::write(folder.path().join("config.toml"), &bytes).unwrap();
        let env = [("APP_CONFIG_DIR", folder.path().as_os_str())];
        ground.fails(&format!("config.toml of {shape} that is no UTF-8"), Config::<App>::standard().env(env));
        for (name, format) in [("JSON", Format::Json), ("TOML", Format::Toml), ("text", Format::Text)] {
            let source = FakeSource::new();
            source.put_bytes("all", &bytes);
            let layer = SecretLayer::from(source).put("a", Wanted::new("all").format(format).field("b"));
            ground
                .fails(&format!("{name} of {shape} that is no UTF-8"), Config::<App>::builder().merge(layer));
        }
    }
}
