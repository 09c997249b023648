//! What is set, what beats what, and what is told of all that is wrong.

use super::*;
use secrecy::ExposeSecret;
use secretfig_tests::{Hunt, Marker};
use std::collections::BTreeMap;

fn table(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn read(vars: &[(&str, &str)], of: &[(&str, &str)], strict: bool) -> Result<Settings, SourceError> {
    Settings::read(vars.iter().copied(), &table(of), strict)
}

const HERE: (&str, &str) = ("VAULT_ADDR", "https://vault.example");

fn hint(result: Result<Settings, SourceError>) -> String {
    result.unwrap_err().what_to_do().to_owned()
}

#[test]
fn the_clis_variables_are_enough() {
    let settings =
        read(&[HERE, ("VAULT_TOKEN", "s.token\n"), ("VAULT_NAMESPACE", "team/")], &[], true).unwrap();
    assert_eq!(settings.addresses()[0].as_str(), "https://vault.example");
    assert_eq!(
        (settings.namespace.as_deref(), settings.login_namespace.as_deref()),
        (Some("team"), Some("team"))
    );
    assert!(matches!(&settings.auth, Auth::Token(token) if token.expose_secret() == "s.token"));
    assert_eq!(settings.timeout, Duration::from_secs(3));
    let bao = read(&[HERE, ("BAO_ADDR", "https://bao.example"), ("BAO_TOKEN", "x")], &[], true).unwrap();
    assert_eq!(bao.addresses()[0].as_str(), "https://bao.example", "OpenBao reads its own first");
}

#[test]
fn every_way_to_sign_in_is_known_by_its_settings() {
    for (vars, way) in [
        (&[("VAULT_TOKEN", "x")][..], "token"),
        (&[("SECRETFIG_VAULT_TOKEN_FILE", "/run/sink")], "token_file"),
        (&[("SECRETFIG_VAULT_ROLE_ID", "r"), ("SECRETFIG_VAULT_SECRET_ID", "s")], "approle"),
        (&[("SECRETFIG_VAULT_ROLE_ID", "r"), ("SECRETFIG_VAULT_WRAPPED_SECRET_ID", "s")], "approle"),
        (&[("SECRETFIG_VAULT_ROLE", "app")], "kubernetes"),
        (&[("SECRETFIG_VAULT_ROLE", "app"), ("SECRETFIG_VAULT_JWT_FILE", "/jwt")], "jwt"),
        (&[("SECRETFIG_VAULT_USERNAME", "ada"), ("SECRETFIG_VAULT_PASSWORD", "p")], "userpass"),
        (
            &[("SECRETFIG_VAULT_AUTH", "cert"), ("VAULT_CLIENT_CERT", "/c"), ("VAULT_CLIENT_KEY", "/k")],
            "cert",
        ),
    ] {
        let vars: Vec<_> = vars.iter().copied().chain([HERE]).collect();
        assert_eq!(read(&vars, &[], true).unwrap().auth.way(), way);
    }
    let wrapped = read(
        &[HERE, ("SECRETFIG_VAULT_ROLE_ID", "r"), ("SECRETFIG_VAULT_WRAPPED_SECRET_ID_FILE", "/w")],
        &[],
        true,
    );
    let Auth::AppRole { secret_id: SecretId::Wrapped(Given::File(path)), mount, .. } = wrapped.unwrap().auth
    else {
        panic!("a wrapped secret_id")
    };
    assert_eq!((path.to_str(), mount.as_str()), (Some("/w"), "approle"));
}

#[test]
fn a_variable_beats_the_table_whole() {
    let of =
        [("role_id", "r"), ("secret_id_file", "/s"), ("address", "https://other.example"), ("mount", "kv")];
    let settings = read(&[HERE, ("VAULT_TOKEN", "x")], &of, true).unwrap();
    assert_eq!((settings.auth.way(), settings.mount.as_str()), ("token", "kv"));
    assert_eq!(settings.addresses()[0].as_str(), "https://vault.example");
    let settings = read(&[HERE, ("SECRETFIG_VAULT_SECRET_ID", "s")], &of, true).unwrap();
    assert!(matches!(settings.auth, Auth::AppRole { secret_id: SecretId::Plain(Given::Text(_)), .. }));
}

#[test]
fn the_persons_own_token_is_for_relaxed_profiles() {
    let vars = [HERE, ("HOME", "/home/ada")];
    let Auth::TokenFile(path) = read(&vars, &[], false).unwrap().auth else { panic!("a file") };
    assert_eq!(path.to_str(), Some("/home/ada/.vault-token"));
    assert!(hint(read(&vars, &[], true)).contains("nothing says how to sign in"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let vars = [
        ("VAULT_SKIP_VERIFY", "1"),
        ("VAULT_CAPATH", "/etc/ca"),
        ("VAULT_NAMESPACE", "a/../b"),
        ("VAULT_CLIENT_CERT", "/c"),
        ("VAULT_CLIENT_TIMEOUT", "soon"),
        ("SECRETFIG_VAULT_PROXY", "yes"),
        ("SECRETFIG_VAULT_MOUNTS", "kv=v3"),
        ("SECRETFIG_VAULT_ROLE_ID", "r"),
        ("SECRETFIG_VAULT_SECRET_ID", "s"),
        ("SECRETFIG_VAULT_SECRET_ID_FILE", "/s"),
        ("VAULT_TOKEN", "x"),
    ];
    let told = hint(read(&vars, &[("adress", "x")], true));
    for part in [
        "VAULT_SKIP_VERIFY is refused",
        "VAULT_CAPATH",
        "`namespace`: no segment",
        "are set together",
        "`timeout`",
        "`proxy`",
        "`mounts`",
        "`secret_id` and `secret_id_file` are both set",
        "several ways to sign in: `token`, `approle`",
        "no server is named",
        "adress: known are `address`",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn addresses_are_servers() {
    let token = ("VAULT_TOKEN", "x");
    let both =
        read(&[("VAULT_ADDR", "https://a.example, https://b.example:8200"), token], &[], true).unwrap();
    assert_eq!(both.addresses().len(), 2);
    for address in
        ["http://vault.example", "vault.example", "https://u:p@vault.example", "https://a,", "https://a/v1"]
    {
        assert!(read(&[("VAULT_ADDR", address), token], &[], true).is_err(), "{address}");
    }
    let plain =
        [("VAULT_ADDR", "http://vault.example"), ("SECRETFIG_VAULT_DANGER_PLAIN_HTTP", "true"), token];
    assert!(read(&plain, &[], true).unwrap().plain_http);
}

#[test]
fn no_secret_is_told_or_taken_from_a_plain_file() {
    let hunt = Hunt::new();
    let marker = hunt.plant("sign-in", Marker::random());
    let text = marker.text();
    for key in ["token", "secret_id", "wrapped_secret_id", "jwt", "password"] {
        let of = [(key, text), ("role_id", "r"), ("username", "ada"), ("auth", "nonsense")];
        let strict = read(&[HERE], &of, true);
        hunt.check_error("a table with a secret", &strict.unwrap_err());
        hunt.check_error("a table with a secret", &read(&[HERE], &of, false).unwrap_err());
    }
    for name in ["VAULT_TOKEN", "SECRETFIG_VAULT_JWT"] {
        let settings = read(&[HERE, (name, text)], &[], true).unwrap();
        hunt.check("settings", format!("{settings:?} {:?} {:#?}", settings.auth, settings));
    }
    let relaxed = read(&[HERE], &[("token", text)], false).unwrap();
    hunt.check("settings", format!("{relaxed:?}"));
    hunt.finish();
}

#[test]
fn no_mount_user_or_role_of_a_login_steers_elsewhere() {
    let given = || Given::Text("shown".into());
    let of = |auth| hint(Settings::new("https://vault.example", auth));
    let ways = |mount: &str, name: &str, token: Given| {
        let (mount, name) = (|| mount.to_owned(), || name.to_owned());
        [
            Auth::Kubernetes { mount: mount(), role: name(), token: token.clone() },
            Auth::Jwt { mount: mount(), role: Some(name()), token: token.clone() },
            Auth::Certificate { mount: mount(), role: Some(name()) },
            Auth::Userpass { mount: mount(), user: name(), password: token },
        ]
    };
    for name in ["", ".", "..", "ada/../root", "ada/login", "/ada", "ada/", "a\nb", "a\0", "ada."] {
        for auth in ways("mount", name, given()) {
            let way = auth.way();
            let key = if way == "userpass" { "`username`" } else { "`role`" };
            assert!(of(auth).contains(key), "{way}: {name:?}");
        }
    }
    let approle = |mount: &str, secret_id| Auth::AppRole {
        mount: mount.to_owned(),
        role_id: given(),
        secret_id: SecretId::Plain(secret_id),
    };
    for mount in ["", "..", "a/../b", "/a", "a/", "a//b", "a\r\nb"] {
        for auth in ways(mount, "ada", given()).into_iter().chain([approle(mount, given())]) {
            let way = auth.way();
            assert!(of(auth).contains("`auth_mount`"), "{way}: {mount:?}");
        }
    }
    let nothing = || Given::Text("".into());
    let [kubernetes, jwt, _, userpass] = ways("mount", "ada", nothing());
    for auth in [Auth::Token(" ".into()), kubernetes, jwt, userpass, approle("mount", nothing())] {
        let way = auth.way();
        assert!(of(auth).contains("is empty"), "{way}");
    }
    for auth in ways("team/mount", "ada.l", given()).into_iter().chain([approle("a/b", given())]) {
        assert!(Settings::new("https://vault.example", auth).is_ok());
    }
    // and as variables say it
    let role = [("VAULT_ADDR", "https://vault.example"), ("SECRETFIG_VAULT_ROLE", "app/../root")];
    assert!(hint(read(&role, &[], true)).contains("`role`"));
}
