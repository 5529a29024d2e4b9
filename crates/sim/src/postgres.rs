//! A PostgreSQL server of our own for tests and measurements: a fresh cluster in a temporary folder, on loopback, gone when
//! dropped.

use engine::db::{Conn, Url};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running server.
pub struct TempPostgres {
    folder: PathBuf,
    bin: PathBuf,
    port: u16,
    databases: AtomicU32,
}

/// What to do where PostgreSQL is missing.
pub const HOW_TO_INSTALL: &str = "PostgreSQL is not installed: run `apt-get install postgresql` (or let ./test do it)";

/// Where Debian and others keep the server's programs.
fn find_bin() -> io::Result<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("PATH").map(|p| std::env::split_paths(&p).collect()).unwrap_or_default();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|v| v.path().join("bin")));
    }
    places.reverse();
    let found = places.into_iter().find(|p| p.join("initdb").exists() && p.join("pg_ctl").exists());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, HOW_TO_INSTALL))
}

impl TempPostgres {
    /// Starts a server for tests. They only need the SQL, and run faster where nothing is synced.
    pub fn start() -> io::Result<TempPostgres> {
        TempPostgres::start_with("fsync = off\nshared_buffers = '256MB'\n")
    }

    /// Starts a server for measurements, which syncs every commit and may keep as much in memory as a third of the machine has.
    pub fn start_measured() -> io::Result<TempPostgres> {
        TempPostgres::start_with(&format!("fsync = on\nshared_buffers = '{}MB'\n", memory_mb().map_or(256, |mb| (mb / 3).max(256))))
    }

    fn start_with(settings: &str) -> io::Result<TempPostgres> {
        let bin = find_bin()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("holdfast-postgres-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let server = TempPostgres { folder, bin, port, databases: AtomicU32::new(0) };
        if is_root() {
            // PostgreSQL refuses to run as root; Debian's package brings a user for it.
            run(Command::new("chown").arg("postgres").arg(&server.folder))?;
        }
        let data = server.data();
        run(server
            .as_postgres("initdb")
            .args(["--auth=trust", "--username=holdfast", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data))?;
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nmax_connections = 200\nmax_wal_size = '4GB'\n{settings}",
        );
        let conf = data.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&conf)?;
        text.push_str(&settings);
        std::fs::write(&conf, text)?;
        server.up()?;
        server.watch()?;
        Ok(server)
    }

    /// Stops the server when this process has gone without doing so: a test that was killed, or one that keeps it in a static.
    fn watch(&self) -> io::Result<()> {
        let stop = self.as_postgres("pg_ctl");
        let mut words: Vec<String> = vec![stop.get_program().to_string_lossy().into_owned()];
        words.extend(stop.get_args().map(|a| a.to_string_lossy().into_owned()));
        let script = "while kill -0 \"$1\" 2>/dev/null; do sleep 0.5; done; folder=$2; shift 2; \"$@\" stop -m immediate -D \"$folder/data\"; rm -rf \"$folder\"";
        let mut watcher = Command::new("sh");
        watcher.args(["-c", script, "sh", &std::process::id().to_string()]).arg(&self.folder).args(words);
        watcher.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").spawn().map(drop)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn as_postgres(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command.current_dir("/");
            command
        } else {
            Command::new(program)
        }
    }

    fn up(&self) -> io::Result<()> {
        run(self.as_postgres("pg_ctl").args(["start", "-w", "-t", "60", "-D"]).arg(self.data()).arg("-l").arg(self.folder.join("log")))
    }

    /// From now on takes encrypted connections only, with this certificate and its key.
    pub fn encrypt(&self, certificate: &Path, key: &Path) -> io::Result<()> {
        let data = self.data();
        for (from, name) in [(certificate, "server.crt"), (key, "server.key")] {
            std::fs::copy(from, data.join(name))?;
            // PostgreSQL takes a key that nobody else can read.
            std::fs::set_permissions(data.join(name), std::fs::Permissions::from_mode(0o600))?;
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(data.join(name)))?;
            }
        }
        let (conf, access) = (data.join("postgresql.conf"), data.join("pg_hba.conf"));
        std::fs::write(&conf, std::fs::read_to_string(&conf)? + "ssl = on\n")?;
        std::fs::write(access, "hostssl all all 127.0.0.1/32 trust\n")?;
        self.restart()
    }

    /// Stops the server at once, as a crash would, and starts it again.
    pub fn restart(&self) -> io::Result<()> {
        run(self.as_postgres("pg_ctl").args(["stop", "-w", "-m", "immediate", "-D"]).arg(self.data()))?;
        self.up()
    }

    /// A new, empty database.
    pub fn database(&self) -> io::Result<String> {
        self.create("template1")
    }

    /// A new database with what one has that nobody is connected to, given by its URL.
    pub fn copy(&self, url: &str) -> io::Result<String> {
        self.create(url.rsplit('/').next().unwrap_or_default())
    }

    fn create(&self, template: &str) -> io::Result<String> {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.ask("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(self.url(&name))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://holdfast@127.0.0.1:{}/{database}", self.port)
    }

    /// Has it done over a connection of its own, which is much quicker than starting a program; on a thread of its own, as whoever asks
    /// may be in a runtime, which a connection must not wait in.
    fn ask(&self, database: &str, sql: &str) -> io::Result<()> {
        let url = Url::parse(&self.url(database)).map_err(io::Error::other)?;
        let done = std::thread::scope(|scope| scope.spawn(|| Conn::open(&url).and_then(|mut conn| conn.batch(sql))).join());
        done.map_err(|_| io::Error::other("PostgreSQL was not asked"))?.map_err(io::Error::other)
    }

    /// Cuts every connection to the server.
    pub fn cut_connections(&self) -> io::Result<()> {
        self.cut("postgres", "application_name = 'holdfast'")
    }

    /// Cuts the connections to one database, given by its URL.
    pub fn cut_connections_to(&self, url: &str) -> io::Result<()> {
        let name = url.rsplit('/').next().unwrap_or_default();
        self.cut(name, &format!("datname = '{name}'"))
    }

    fn cut(&self, database: &str, which: &str) -> io::Result<()> {
        let own = "pid <> pg_backend_pid()";
        self.ask(database, &format!("DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which} AND {own}; END $$"))
    }
}

impl Drop for TempPostgres {
    fn drop(&mut self) {
        let _ = run(self.as_postgres("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(self.data()));
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Megabytes of memory that the machine has, where Linux tells.
fn memory_mb() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kb: u64 = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())?;
    Some(kb / 1_024)
}

fn is_root() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    status.lines().find_map(|l| l.strip_prefix("Uid:")).and_then(|l| l.split_whitespace().nth(1).map(|uid| uid == "0")).unwrap_or(false)
}

fn run(command: &mut Command) -> io::Result<()> {
    // pg_ctl leaves a server behind that would keep pipes open, so nothing is piped.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?} failed: {status}"))) }
}

/// A folder that is removed when dropped.
pub struct TempFolder(PathBuf);

impl TempFolder {
    pub fn new(name: &str) -> io::Result<TempFolder> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("holdfast-{name}-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(TempFolder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
