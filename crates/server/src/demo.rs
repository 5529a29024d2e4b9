//! `holdfast demo`: a server with a catalog, six locations and real orders that come in while you watch.
//!
//! Here: the database of the demo, its key, and the pace. What an invoice means in commands stands in replay/play.rs, which
//! plays the same way by the file's own clock; here time is now, and the past only sets the pace. See demo/README.md for the
//! source of the orders.

mod buyers;

use crate::replay::buyer::{Buyer, DAILY};
use crate::replay::history::{History, day};
use crate::replay::play::Play;
use crate::replay::player::Player;
use crate::serve::{bind, open, runtime, serve, shutdown};
use crate::{Done, Failed, now};
use connectors::online_retail::Kind;
use engine::orders::place::PlaceOrder;
use engine::people::settings::{self, House};
use engine::people::{self, NewPerson};
use engine::{By, Options, Url};
use sim::postgres::TempFolder;
use std::collections::HashMap;
use std::io::Cursor;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ORDERS: &[u8] = include_bytes!("../demo/online-retail-2010-12.csv.gz");
/// Nights and Saturdays are not waited for longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often due holds and parcels are looked at.
const TICK: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub struct Demo {
    /// Address to listen on; port 0 chooses a free one and prints it
    #[arg(long, default_value = "127.0.0.1:7070", value_name = "ADDR")]
    listen: String,
    /// How many times faster than in 2010 the orders come; 1200 is twenty minutes a second, some four orders
    #[arg(long, default_value_t = 1200.0, value_name = "N", value_parser = speed)]
    speed: f64,
    /// Play on this database (sqlite:PATH or postgres://…) and leave it there; a new one that is thrown away if left out
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Keep the database in ./holdfast-demo.db, and go on with it the next time
    #[arg(long, conflicts_with = "database")]
    keep: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.1..=1_000_000.0).contains(speed));
    speed.ok_or_else(|| "must be a number from 0.1 to 1000000".into())
}

impl Demo {
    pub fn run(self) -> Done {
        let (url, _thrown_away) = match (&self.database, self.keep) {
            (Some(url), _) => (Url::parse(url).map_err(|e| Failed(format!("--database: {e}")))?, None),
            (None, true) => (Url::Sqlite("holdfast-demo.db".into()), None),
            (None, false) => {
                let folder = TempFolder::new("demo")?;
                (Url::Sqlite(folder.path().join("holdfast-demo.db")), Some(folder))
            }
        };
        runtime()?.block_on(async move {
            let engine = open(Options::new(url)).await?;
            // Before the stock is loaded, so that a port that is taken is known at once.
            let listener = bind(&self.listen).await?;
            let (mine, stop) = (engine.clone(), Arc::new(AtomicBool::new(false)));
            let stopped = stop.clone();
            let prepare = move || -> Result<(Shop, String, String), Failed> {
                let shop = Shop::open(mine.clone(), self.speed, stopped)?;
                let (_, key) = engine::create_key(mine.url(), "demo", "admin", now(), None)?;
                let password = owner(mine.url())?;
                Ok((shop, key, password))
            };
            let (prepared, key, password) = tokio::task::spawn_blocking(prepare).await??;
            let vault = engine::secrets::Vault::open(engine.url())?;
            let markets = buyers::open(&engine, &vault).await?;
            let address = format!("http://{}", listener.local_addr()?);
            let buyers = tokio::spawn(async move {
                tokio::join!(buyers::buy(&markets), markets.webhooks(&address));
            });
            println!("Holdfast listens on http://{}  ({})", listener.local_addr()?, engine.url());
            println!("Sign in as {OWNER} with the password {password}");
            println!("Admin key for programs: {key}");
            println!("Real orders of December 2010 come in at {} times their speed; three simulated marketplaces sell beside them.", self.speed);
            println!("Ctrl-C ends the demo.");
            let shop = std::thread::Builder::new().name("shop".into()).spawn(move || prepared.run())?;
            let stopping = async {
                shutdown().await;
                stop.store(true, Ordering::Relaxed);
            };
            serve(engine, listener, 60, Default::default(), Default::default(), None, stopping).await;
            buyers.abort();
            let _ = tokio::task::spawn_blocking(move || shop.join()).await;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Who looks at the demo.
const OWNER: &str = "demo@holdfast.example";

/// Makes the owner of the demo, or gives them a new password; answers it.
fn owner(url: &Url) -> Result<String, Failed> {
    let mut words = identity::recovery::Codes::random().map_err(|e| Failed(e.to_string()))?.texts;
    let password = words.pop().unwrap_or_default();
    let phc = identity::password::hash(&password).map_err(|e| Failed(e.to_string()))?;
    let by = By::from("demo");
    engine::beside(url, |tx| {
        let known = people::by_login(tx, OWNER)?;
        let new = NewPerson { login: OWNER.into(), name: "Demo Owner".into(), role: "owner".into(), locations: None, channels: None };
        let person = known.map_or_else(|| people::create(tx, &by, now(), &new), Ok)?;
        people::set_password(tx, &by, now(), &person.id, &phc, "")?;
        // The orders are of a British shop.
        let house = House { currency: "GBP".into(), ..House::default() };
        settings::set(tx, &by, now(), House::NAME, &house, (None, String::new()))
    })?;
    Ok(password)
}

/// A customer who put goods into the cart and has not paid yet.
struct Cart {
    pays_at: Instant,
    invoice: usize,
    order: PlaceOrder,
}

/// The shop that plays the orders, on a thread of its own.
struct Shop {
    play: Play,
    speed: f64,
    stop: Arc<AtomicBool>,
    dice: fastrand::Rng,
    first_day: i64,
    carts: Vec<Cart>,
    /// When each parcel leaves.
    leaves: HashMap<i64, Instant>,
}

impl Shop {
    /// Creates what is not there yet: locations, items, stock to begin with.
    fn open(engine: engine::Engine, speed: f64, stop: Arc<AtomicBool>) -> Result<Shop, Failed> {
        let history = Arc::new(History::read(Cursor::new(ORDERS))?);
        let first_day = history.invoices.first().map_or(0, |i| day(i.at));
        let buyer = Buyer::new(DAILY, history.items.len());
        let mut shop = Shop {
            play: Play::new(history, Player::new(engine, "demo", "online-retail"), buyer),
            speed,
            stop,
            dice: fastrand::Rng::with_seed(2010),
            first_day,
            carts: Vec::new(),
            leaves: HashMap::new(),
        };
        shop.next_round()?;
        shop.play.open(first_day)?;
        Ok(shop)
    }

    /// Names the orders of the next round so that they are new ones, on a database that was played before too.
    fn next_round(&mut self) -> Result<(), Failed> {
        for round in 1.. {
            self.play.suffix = if round == 1 { String::new() } else { format!("-r{round}") };
            if !self.play.is_played()? {
                break;
            }
        }
        Ok(())
    }

    fn run(mut self) {
        while !self.stopped() {
            if let Err(Failed(why)) = self.round().and_then(|()| self.next_round()) {
                if !self.stopped() {
                    tracing::error!("the demo's orders have stopped: {why}");
                }
                return;
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Plays the whole extract once.
    fn round(&mut self) -> Result<(), Failed> {
        let history = self.play.history.clone();
        let (mut today, mut before) = (None, None);
        for (number, invoice) in history.invoices.iter().enumerate() {
            let gap = invoice.at - before.replace(invoice.at).unwrap_or(invoice.at);
            self.wait(Duration::from_micros((gap as f64 / self.speed) as u64).min(LONGEST_PAUSE))?;
            if self.stopped() {
                return Ok(());
            }
            if today.replace(day(invoice.at)) != Some(day(invoice.at)) {
                self.play.buyer.evening();
                self.play.morning(day(invoice.at), self.first_day)?;
            }
            if invoice.of(Kind::Sale).next().is_some() && self.dice.u8(..100) < 30 {
                self.fill_cart(number)?;
            } else {
                self.play.invoice(number)?;
            }
            self.play.settle()?;
        }
        Ok(())
    }

    /// Lets time pass, and does what falls due meanwhile.
    fn wait(&mut self, pause: Duration) -> Result<(), Failed> {
        let end = Instant::now() + pause;
        loop {
            self.pay()?;
            self.ship()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stopped() {
                return Ok(());
            }
            std::thread::sleep(left.min(TICK));
        }
    }

    /// Sets the goods of an invoice aside. Most carts are paid for, the others run out.
    fn fill_cart(&mut self, invoice: usize) -> Result<(), Failed> {
        let mut carts = Vec::new();
        for part in 0..self.play.history.invoices[invoice].orders().len() {
            carts.push(self.play.hold(invoice, part, 20)?);
        }
        match carts.as_slice() {
            [Some(hold)] if self.dice.u8(..100) < 80 => {
                let pays_at = Instant::now() + Duration::from_millis(self.dice.u64(1_000..12_000));
                let order = self.play.order(invoice, 0, Some(hold.clone()));
                self.carts.push(Cart { pays_at, invoice, order });
                Ok(())
            }
            [Some(_)] => Ok(()),
            // Not everything was there: the customer orders at once and waits for the rest.
            _ => self.play.invoice(invoice),
        }
    }

    fn pay(&mut self) -> Result<(), Failed> {
        let now = Instant::now();
        while let Some(place) = self.carts.iter().position(|cart| cart.pays_at <= now) {
            let cart = self.carts.swap_remove(place);
            self.play.place(cart.invoice, 0, cart.order)?;
        }
        self.play.settle()
    }

    /// Parcels leave some seconds after they were packed.
    fn ship(&mut self) -> Result<(), Failed> {
        let now = Instant::now();
        let parcels: Vec<i64> = self.play.player.parcels().map(|(id, _)| id).collect();
        for parcel in parcels {
            let leaves = *self.leaves.entry(parcel).or_insert_with(|| now + Duration::from_millis(self.dice.u64(4_000..25_000)));
            if leaves <= now {
                self.leaves.remove(&parcel);
                self.play.player.ship(parcel)?;
            }
        }
        self.play.settle()?;
        for trouble in self.play.player.trouble.drain(..) {
            tracing::info!("the demo met a refusal: {trouble}");
        }
        Ok(())
    }
}
