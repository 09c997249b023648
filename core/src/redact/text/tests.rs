use super::*;

fn told(text: &str) -> String {
    redacted(text, &Names::default()).map_or_else(|| text.to_owned(), |told| told.as_str().to_owned())
}

/// Each text with `§…§` around what must go: also that nothing else goes.
#[test]
fn values_go_and_all_else_stays() {
    for text in [
        // Debug
        r#"Db { user: "x", password: "§y§", port: 5432 }"#,
        r#"Db { password: §1234§, port: 5432 }"#,
        r#"Db { port: 5432, password: §1234§ }"#,
        r#"Db { password: §None§, port: 1 }"#,
        r#"Db { password: §Some("y")§, port: 1 }"#,
        r#"Db { password: §Some(Inner { a: "}", b: '"', c: '\'' })§, port: 1 }"#,
        r#"Db { secret: §[1, 2, 3]§, port: 1 }"#,
        r#"Db { secret: §b"\x00\"y"§, port: 1 }"#,
        r#"Db { password: "§a\"b\\§", port: 1 }"#,
        r#"Db { token: §Wrapper::<'a, str>("y")§, port: 1 }"#,
        "Db {\n    user: \"x\",\n    password: \"§y§\",\n    port: 5432,\n}",
        "Db {\n    password: §Some(\n        \"y\",\n    )§,\n    port: 5432,\n}",
        "Db {\n    pin: 1,\n    otp: §123456§,\n}",
        r#"{"user": "x", "password": "§y§", "port": 1}"#,
        r#"[("user", "x"), ("password", "§y§"), ("pin", 1)]"#,
        r#"{"list": [["token", "§y§"], ["user", "x"]]}"#,
        r#"["DB_PASSWORD=§y§", "PATH=/bin"]"#,
        r#"["--password=§y§", "-v"]"#,
        r#"("token=§y§", 200)"#,
        r#"("sent Bearer §y§", 200)"#,
        "[\n    \"DB_PASSWORD=§y§\",\n    \"PATH=/bin\",\n]",
        "Some(\n    \"{\\\"password\\\":\\\"§y§\\\",\\\"user\\\":1}\",\n)",
        r#"Password(§"y"§)"#,
        r#"Some(ApiToken(§"y", 3§)), user: "x""#,
        r#"Token {§ value: "y" §}, user: "x""#,
        r#"ApiKey {§ inner: "y" §}, user: "x""#,
        r#"PrivateKey {§ d: [1, 2, 3] §}, user: "x""#,
        r#"SigningKey {§ inner: Some("y") §}"#,
        r#"Some(ConnectionString {§ value: "y" §})"#,
        r#"DatabaseCredentials { host: "h", password: "§y§" }"#,
        // JSON
        r#"{"user":"x","password":"§y§","pins":[1,2],"port":1}"#,
        r#"{"a":{"password":"§y\"z§","b":{"token":§{"c":[1,"}"]}§,"d":2}}}"#,
        r#"{"password":§1234§,"user":"x"}"#,
        r#"{"user":"x","password":§-1.5e3§}"#,
        r#"{"password":§null§,"user":"x"}"#,
        "{\n  \"password\": \"§y§\",\n  \"user\": \"x\"\n}",
        r#"Reply { body: "{\"user\":\"x\",\"password\":\"§y§\",\"port\":1}", status: 200 }"#,
        r#"Reply { body: "{\"a\":\"{\\\"password\\\":\\\"§y\\\\\\\"z§\\\",\\\"b\\\":1}\"}", status: 200 }"#,
        r#"Reply { body: "{\"pin\":1,\"password\":§12§,\"b\":1}", status: 200 }"#,
        r#"[{"name":"DB_PASSWORD","value":"§y§"},{"name":"DB_HOST","value":"h"}]"#,
        r#"{"url":"postgres:\/\/§u:y§@h\/db","user":"x"}"#,
        r#"{"url":"postgres:\/\/§u:1\/2y§@h\/db","user":"x"}"#,
        r#"{"url":"https:\/\/h\/p?size=1","user":"a@b.c"}"#,
        r#"Reply { body: "{\"url\":\"postgres:\\/\\/§u:y§@h\\/db\"}", status: 200 }"#,
        r#"{"\u0070assword":"§y§","user":"x"}"#,
        r#"{"a":"{\"p\\u0061ssword\":\"§y§\",\"user\":1}"}"#,
        r#"["\u0070assword", "§y§"]"#,
        r#"{"\uZZ":"§y§","\u0075ser":"x","\ud83d\ude00":"z","C:\\users":"x"}"#,
        r#"{"list":{"cookie":"§y§","host":" x}"},"secret":§{"a":"@-'y","b":{"c":"\n\\\"y"}}§,"user":"x"}"#,
        "{\"password\"\n:\"§y§\",\n\"user\":\"x\"}",
        r#"{"env":[{"value":"§y§","name":"DB_PASSWORD"},{"value":"h","name":"DB_HOST"}]}"#,
        r#"{"name":"DB_PASSWORD","stringValue":"§y§","val":"z"}"#,
        "- name: DB_PASSWORD\n  value: §y\n-§ name: DB_HOST\n  value: h",
        "name=DB_PASSWORD val=§y§ user=x",
        // pairs
        "\x1b[3mpassword\x1b[0m\x1b[2m=§\x1b[0my \x1b[3muser\x1b[0m\x1b[2m=\x1b[0mx§",
        "\x1b[3mtoken\x1b[0m=§y§ user=x",
        "password = §\"\"\"\nuser = 1\ny\"\"\"§\nuser = 1",
        "password = §'''\nuser = 1\ny'''§\nuser = 1",
        "login user=bob password=§hunter2§ from=10.0.0.1",
        "password=§my long one§ user=bob",
        "user=bob password=§hunter2 was wrong§",
        r#"user="bob" password="§hunter2§" was right"#,
        "password='§it''s me§' user='bob'",
        "password = \"§y§\"\nuser = \"bob\"",
        "password: §hunter2§\nuser: bob\n",
        "password: §|\n  one\n  two§\nuser: bob",
        "user: bob, password: §hunter2, and more§",
        "Host=h;User ID=app;Password=§p w§;Port=1",
        "Host=h;Password=§p;w§;User ID=app;Port=1",
        "the API key: §abc def§",
        "connection string = §Server=h;Pwd=x§",
        "cookie=§a=b; c=d§\nuser=x",
        "password (of bob): §hunter2§",
        "token(s): §abc§",
        "{password: §abc§}",
        r#"secret => "§abc§", user => "x""#,
        "password:=§abc§ user:=x",
        "password==§abc§ user==x",
        // URLs
        "postgres://§u:p§@h/db?sslmode=require",
        "postgres://§u:p@ss/w#rd§@h/db",
        "postgres://§u:12/3§@h/db",
        "GET https://h:8443/p?page=1&api_key=§abc&def§&size=2",
        "https://h/p?size=1&key=§abc§",
        "https://h:8080/@scope/pkg?email=a@b.c",
        "https://§token§@github.com/a/b",
        r#"url="https://h/?token=§y§", user="x""#,
        r#"Req { url: "mongodb://§u:p§@h1:1,h2:2/db", user: "x" }"#,
        "see https://docs.rs/secretfig (or http://[::1]:80/x), http://{host}/y, https://h.",
        "user%5Bpassword%5D=§y§&user%5Bname%5D=x",
        // headers
        "Authorization: §Bearer abc.def-ghi§\r\nHost: h\r\n",
        "Cookie: §a=b; c=d§\r\nHost: h",
        r#"{"authorization": "§Basic dTpw§", "host": "h"}"#,
        "sent Bearer\t§abc.def§, with Bearer §abc.def§, then basic auth failed",
        // arguments
        "psql --host h --password §hunter2§ --user bob",
        r#"["psql", "--password", "§hunter2§", "--user", "bob"]"#,
        "--token=§abc§ --user=bob",
        // escapes before a name
        r#"Text("a\npassword=§y§\nuser=x")"#,
        r#"Path("C:\\password=§y\\§")"#,
        // PEM
        "-----BEGIN RSA PRIVATE KEY-----§\nabc\n§-----END RSA PRIVATE KEY-----\nx",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----§\nabc\n§-----END PGP PRIVATE KEY BLOCK-----\nx",
        "wrote AGE-SECRET-KEY-§1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L§ to it, age-secret-key-§1qqpzry§\nx",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
    ] {
        let mut parts = text.split('§');
        let mut expected = parts.next().unwrap().to_owned();
        let mut plain = expected.clone();
        while let (Some(hidden), Some(shown)) = (parts.next(), parts.next()) {
            expected += MASK;
            expected += shown;
            plain += hidden;
            plain += shown;
        }
        let once = told(&plain);
        // what was no text becomes one where its key is one
        let bare = |text: &str| text.replace(r#"\"[redacted]\""#, MASK).replace("\"[redacted]\"", MASK);
        assert_eq!(bare(&once), bare(&expected), "{plain}");
        assert_eq!(told(&once), once, "twice is as once");
    }
}

#[test]
fn json_stays_json() {
    for text in [
        r#"{"password":1234,"user":"x"}"#,
        r#"{"a":[{"token":null},{"secret":{"b":[true]}}],"secrets":[1,2],"api_key":"\u00e9\"","z":1}"#,
        "{\n  \"password\": [\n    1\n  ],\n  \"user\": \"x\"\n}",
    ] {
        let told = told(text);
        assert!(told.contains(MASK) && !told.contains("1234"), "{told}");
        assert!(serde_json::from_str::<serde_json::Value>(&told).is_ok(), "{told}");
    }
}

/// Where no end can be told, nothing of the rest is shown.
#[test]
fn what_has_no_end_goes_to_the_end_of_the_text() {
    for (text, expected) in [
        (r#"{"password": "abc"#, r#"{"password": "[redacted]""#),
        (r#"{"password": "ab"cd", "user": "x"}"#, r#"{"password": "[redacted]", "user": "x"}"#),
        ("Db { password: Some(\"y, user: 1 }", "Db { password: [redacted]"),
        ("Db { password: Some(y]), user: 1 }", "Db { password: [redacted]"),
        ("Db { password: a b } c, user = 1", "Db { password: [redacted]"),
        ("password: hunter2) rest", "password: [redacted]"),
        ("postgres://u:p w", "postgres://[redacted]"),
        ("-----BEGIN PRIVATE KEY-----\nabc", "-----BEGIN PRIVATE KEY-----[redacted]"),
        ("password=\\temp", "password=[redacted]"),
        ("password: \u{e9}t\u{e9} de", "password: [redacted]"),
        (r#""password=ab"cd" user"#, r#""password=[redacted]" user"#),
        ("token=abc def==", "token=[redacted]"),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "",
        "a plain message",
        "secret `myapp/db` of files: denied",
        "password",
        "password:",
        "password=",
        "invalid token type: x",
        "secret_name=myapp/db token_count=3",
        "tokens_used=3 has_token=true password_reset: done",
        "secretfig::audit: secret::Thing, token::kind",
        "user=bob host=h:80 at 10:30",
        r#"Db { user: "password", key_id: "k1" }"#,
        r#"["user", "password"]"#,
        r#"["invalid token", "user not found"]"#,
        "Some(\n    \"token\",\n)",
        "12 tests pass: 3, 4 fail: 1",
        "budget: prompt_tokens=3 max_tokens: 5",
        "http://h:80/a?b=c#d",
        "a != b, c <= d, e => f, g::h",
        "\"unbalanced ' and \\\" quotes ] } )",
    ] {
        assert!(redacted(text, &Names::default()).is_none(), "{text}: {}", told(text));
    }
}

/// Whatever stands around a pair that is plain to see, its value goes.
#[test]
fn no_text_around_a_pair_makes_it_seen() {
    const PIECES: [&str; 22] = [
        "password",
        "=",
        ":",
        "\"",
        "\\",
        "'",
        "{",
        "}",
        "(",
        ")",
        "é",
        "://",
        "@",
        "--",
        " ",
        "\n",
        "Bearer ",
        "🔑",
        "&",
        "s",
        "[redacted]",
        "x=1, ",
    ];
    for a in PIECES {
        for b in PIECES {
            for c in PIECES {
                let around = [a, b, c].concat();
                for text in [
                    format!("{around} password=canary"),
                    format!("{around} {{\"password\": \"canary\"}}"),
                    format!("{around} api_key: Some(\"canary\"){around}"),
                    format!("password=canary{around}"),
                    // with a name or a closed quote in it, the rest is another value
                    format!(
                        "password={}canary",
                        if around.contains(['=', '"', '\'']) { "" } else { &around }
                    ),
                    format!("a://u:canary{}@h", around.replace(' ', "")),
                ] {
                    let told = told(&text);
                    assert!(!told.contains("canary"), "{text}: {told}");
                }
            }
        }
    }
}

#[test]
fn long_texts_take_no_more_than_their_length() {
    let many =
        "password=\"".repeat(20_000) + &"{".repeat(20_000) + &", ".repeat(20_000) + &"\\".repeat(20_000);
    assert!(told(&many).len() < 100);
    let many = "x=".repeat(50_000) + &"a://".repeat(50_000) + &"user ".repeat(50_000);
    assert!(told(&many).len() <= many.len());
}

/// What is shown is exactly that name, also where a name may have several words.
#[test]
fn what_is_shown_is_exactly_that_name() {
    let mut names = Names::default();
    names.show("token");
    names.show("api key");
    for text in ["token: abc", "the token: abc", "token=abc", r#"{"token":"abc"}"#, "your API key: abc"] {
        assert!(redacted(text, &names).is_none(), "{text}");
    }
    for text in
        ["refresh token: abc", "the refresh token: abc", "refresh_token=abc", "our other API key: abc"]
    {
        assert!(redacted(text, &names).is_some_and(|told| !told.as_str().contains("abc")), "{text}");
    }
}

/// A word of prose is still a name where it stands for itself.
#[test]
fn what_is_a_word_of_prose_too_is_a_name_in_a_structure() {
    for text in [
        "pass: canary",
        "user: bob, pass: canary",
        "pass=canary",
        "Db { user: 1, pass: \"canary\" }",
        "https://h/?sig=canary",
    ] {
        assert!(!told(text).contains("canary"), "{text}");
    }
}
