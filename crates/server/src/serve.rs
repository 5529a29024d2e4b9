//! `holdfast serve`.

use crate::{Database, Done, Failed};
use connectors::alerts::transport::Mailer;
use connectors::sign_in_transport::Sender;
use engine::alerts::worker::Outside;
use engine::people::links;
use engine::secrets::Vault;
use engine::stock::sales;
use engine::{By, Engine, Options, Stop, Url, jobs};
use search::Search;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use web::App;
use web::visit::{Fetch, Outer};

#[derive(clap::Args)]
pub struct Serve {
    #[command(flatten)]
    database: Database,
    /// Address to listen on; port 0 chooses a free one and prints it
    #[arg(long, env = "HOLDFAST_LISTEN", default_value = "127.0.0.1:7070", value_name = "ADDR")]
    listen: String,
    /// Seconds between routing runs over the orders that wait for one
    #[arg(long, env = "HOLDFAST_ROUTING_RUN_SECONDS", default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    routing_run_seconds: u64,
    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto count, besides this machine itself
    #[arg(long, env = "HOLDFAST_TRUSTED_PROXIES", value_name = "ADDRESSES", value_delimiter = ',')]
    trusted_proxies: Vec<std::net::IpAddr>,
    /// Folder of the search index, of this database alone; it is made anew where it is missing. Left out: beside an SQLite file,
    /// else among the caches of the user
    #[arg(long, env = "HOLDFAST_SEARCH_FOLDER", value_name = "FOLDER")]
    search_folder: Option<PathBuf>,
    #[command(flatten)]
    ways: Ways,
}

/// How alerts leave.
#[derive(clap::Args, Default)]
pub struct Ways {
    /// Mail server for alerts, such as smtps://user:password@host:465 or smtp://host:587?tls=required
    #[arg(long, env = "HOLDFAST_SMTP_URL", value_name = "URL", hide_env_values = true)]
    smtp_url: Option<String>,
    /// Whom those mails are from, such as "Holdfast <alerts@example.com>"
    #[arg(long, env = "HOLDFAST_MAIL_FROM", value_name = "MAILBOX")]
    mail_from: Option<String>,
    /// Where people find the pages, such as https://stock.example.com, for links in mails
    #[arg(long, env = "HOLDFAST_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
}

impl Ways {
    fn open(&self) -> Result<Outside, Failed> {
        // What is set and empty is not set.
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let mailer = match given(&self.smtp_url) {
            Some(url) => Some(Arc::new(Mailer::new(&url, self.mail_from.as_deref().unwrap_or("")).map_err(Failed)?)),
            None => None,
        };
        let public_url = given(&self.public_url).map(|url| url.trim_end_matches('/').to_owned());
        if public_url.as_ref().is_some_and(|url| !(url.starts_with("https://") || url.starts_with("http://")) || url.contains(char::is_whitespace)) {
            return Err(Failed("--public-url must begin with https:// or http://".into()));
        }
        Ok(Outside { mailer, public_url })
    }
}

impl Serve {
    pub fn run(self) -> Done {
        let (url, outside) = (self.database.url()?, self.ways.open()?);
        runtime()?.block_on(async move {
            let engine = open(Options::new(url)).await?;
            let listener = bind(&self.listen).await?;
            let address = listener.local_addr()?;
            if engine.url().is_in_the_clear() {
                tracing::warn!("PostgreSQL is reached over the network without encryption: add sslmode=require to its URL");
            }
            println!("Holdfast listens on http://{address}  ({})", engine.url());
            let public_url = outside.public_url.as_deref().map(Into::into);
            tell_first_owner(&engine, outside.public_url.as_deref(), &address).await?;
            let outer = Outer { proxies: self.trusted_proxies.into(), public_url, fetch: fetch() };
            serve(engine, listener, self.routing_run_seconds, outside, outer, self.search_folder, shutdown()).await;
            Ok(ExitCode::SUCCESS)
        })
    }
}

pub fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// The way to a company's provider of identities.
fn fetch() -> Option<Fetch> {
    match Sender::new() {
        Ok(sender) => Some(Arc::new(move |request| Box::pin(sender.send(request)))),
        Err(error) => {
            tracing::warn!("nobody can sign in through a company: {error}");
            None
        }
    }
}

/// While nobody can sign in, prints the code with which the first owner is made.
async fn tell_first_owner(engine: &Engine, public_url: Option<&str>, address: &std::net::SocketAddr) -> Result<(), Failed> {
    if !engine.read(engine::people::is_empty).await? {
        return Ok(());
    }
    let by = By::from("system");
    let code = engine.transact(move |tx, now| links::create(tx, &by, now, links::Kind::Owner, None)).await?;
    let url = public_url.map_or_else(|| format!("http://localhost:{}", address.port()), str::to_owned);
    // Whoever started the server may have stopped reading what it says.
    let _ = writeln!(std::io::stdout(), "Nobody can sign in yet. Make the first owner: {url}/setup?link={code}");
    Ok(())
}

/// Opens the engine on a thread that may block. A PostgreSQL that is still starting is waited for.
pub async fn open(options: Options) -> Result<Engine, Failed> {
    let mut waited = 0;
    loop {
        let attempt = options.clone();
        let opened = tokio::task::spawn_blocking(move || Engine::open(attempt)).await?;
        match opened {
            Ok(engine) => return Ok(engine),
            Err(Stop::Broken { text }) if text.starts_with("PostgreSQL") && waited < 30 => {
                if waited == 0 {
                    eprintln!("Waiting for the database: {text}");
                }
                waited += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(stop) => return Err(Failed(stop.to_string())),
        }
    }
}

pub async fn bind(address: &str) -> Result<TcpListener, Failed> {
    TcpListener::bind(address)
        .await
        .map_err(|e| Failed(format!("cannot listen on {address}: {e}. Is another server there? Choose another address with --listen")))
}

/// Where the search index of a database is, unless a folder was named.
fn search_folder(url: &Url) -> PathBuf {
    match url {
        Url::Sqlite(path) => {
            let mut name = path.as_os_str().to_owned();
            name.push(".search");
            name.into()
        }
        Url::Postgres(_) => {
            let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
            let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache"))).unwrap_or_else(std::env::temp_dir);
            // The address alone, without user and password.
            let address = blake3::hash(url.to_string().as_bytes()).to_hex();
            caches.join("holdfast").join(format!("search-{}", &address[..16]))
        }
    }
}

/// Serves and does the background work until `stop`, then finishes what was accepted.
pub async fn serve(
    engine: Engine,
    listener: TcpListener,
    routing_run_seconds: u64,
    outside: Outside,
    outer: Outer,
    search: Option<PathBuf>,
    stop: impl Future<Output = ()>,
) {
    let vault = Vault::open(engine.url()).unwrap_or_else(|error| {
        tracing::error!("the channels' secrets cannot be opened, so no channel is served: {error}");
        Vault::default()
    });
    match engine::people::reseal::reseal(&engine, &vault).await {
        Ok(0) => {}
        Ok(count) => tracing::info!("{count} secrets of people were encrypted with the new key"),
        Err(error) => tracing::warn!("the secrets of people could not be encrypted with the new key: {error}"),
    }
    let search = Search::new(engine.clone(), Some(search.unwrap_or_else(|| search_folder(engine.url()))));
    let app = App::new(engine).with_vault(vault).with_outside(outside).with_outer(outer).with_search(Arc::new(search));
    serve_app(app, listener, routing_run_seconds, stop).await;
}

/// As [`serve`], for whoever wants to look at the workers of the channels meanwhile.
pub async fn serve_app(app: App, listener: TcpListener, routing_run_seconds: u64, stop: impl Future<Output = ()>) {
    let engine = app.engine.clone();
    let work = tokio::spawn(background(engine.clone(), routing_run_seconds));
    let alerts = tokio::spawn(engine::alerts::worker::run(engine.clone(), app.vault.clone(), app.outside.clone()));
    let channels = tokio::spawn(app.workers.clone().run(engine.clone(), app.vault.clone()));
    let search = tokio::spawn(app.search.clone().run());
    // So that the first look at the list of items does not wait for it.
    engine.stock_table().begin();
    web::serve::serve(app, listener, stop).await;
    search.abort();
    work.abort();
    channels.abort();
    alerts.abort();
    let _ = tokio::task::spawn_blocking(move || engine.shut_down()).await;
}

/// SIGTERM or Ctrl-C.
pub async fn shutdown() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Background work. Several servers on one database share it by leases, so that each piece is done once.
async fn background(engine: Engine, routing_run_seconds: u64) {
    let holder = format!("{}-{}", std::process::id(), engine.now());
    let jobs =
        [("expire", 500), ("fill", 2_000), ("contracts", 30_000), ("sales", 5_000), ("route", routing_run_seconds * 1_000), ("prune", 3_600_000)];
    let mut next = jobs.map(|(_, millis)| tokio::time::Instant::now() + Duration::from_millis(millis));
    loop {
        let (n, due) = (0..jobs.len()).map(|n| (n, next[n])).min_by_key(|(_, due)| *due).unwrap_or((0, next[0]));
        tokio::time::sleep_until(due).await;
        let (name, millis) = jobs[n];
        next[n] = tokio::time::Instant::now() + Duration::from_millis(millis);
        if let Err(error) = once(&engine, name, &holder, millis).await
            && !matches!(error, Stop::Stopped)
        {
            tracing::warn!("background work “{name}” failed and will be tried again: {error}");
        }
    }
}

async fn once(engine: &Engine, name: &'static str, holder: &str, millis: u64) -> Result<(), Stop> {
    if !jobs::lease(engine, name, holder, (millis / 1_000 + 5) as i64).await? {
        return Ok(());
    }
    match name {
        "expire" => {
            jobs::expire(engine).await?;
        }
        "fill" => {
            jobs::fill(engine).await?;
        }
        "contracts" => jobs::contracts(engine).await?,
        "sales" => {
            let engine = engine.clone();
            let counted = tokio::task::spawn_blocking(move || engine.in_background(sales::count));
            counted.await.map_err(|e| Stop::broken(e.to_string()))??;
        }
        "route" => {
            jobs::route_queued(engine).await?;
        }
        _ => {
            let engine = engine.clone();
            let pruned = tokio::task::spawn_blocking(move || engine.in_background(|conn| jobs::prune(&engine, conn)));
            pruned.await.map_err(|e| Stop::broken(e.to_string()))??;
        }
    }
    Ok(())
}
