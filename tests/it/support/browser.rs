//! A real browser, headless: Chromium, led by its own driver (W3C `WebDriver`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::http;
use super::port::own_port;
use super::process::{Process, eventually};

/// So long a browser may take to start on a busy machine.
const START: Duration = Duration::from_mins(1);
/// By their names: of Debian, of others. Not `chromium-headless-shell`: the driver (156) finds no page in it.
const BROWSERS: [&str; 2] = ["chromium", "google-chrome"];

/// A browser with one window, until it is dropped.
pub(crate) struct Browser {
    address: String,
    session: String,
    _driver: Process,
    _folder: tempfile::TempDir,
}

impl Browser {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let driver = program("chromedriver");
        let browser = BROWSERS.iter().find_map(|name| program(name));
        let (Some(driver), Some(browser)) = (driver, browser) else {
            panic!("chromedriver or Chromium is missing: run `make setup`");
        };
        let (folder, port) = (tempfile::tempdir().unwrap(), own_port());
        let log = folder.path().join("driver.log");
        let driver = Process::start(&driver, &[format!("--port={port}")], &log, None);
        let address = format!("127.0.0.1:{port}");
        eventually(START, "the driver of the browser is ready", || {
            let (status, body) = http::get(&address, "/status").ok()?;
            let body: Value = serde_json::from_str(&body).ok()?;
            (status == 200 && body["value"]["ready"] == true).then_some(())
        });
        let profile = folder.path().join("profile");
        let arguments = [
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            // There is no room for one in most containers, and it opens our own pages only.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!("--user-data-dir={}", profile.display()),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "acceptInsecureCerts": true,
            "goog:chromeOptions": { "binary": browser, "args": arguments },
        } } });
        let mut browser = Self { address, session: String::new(), _driver: driver, _folder: folder };
        let made = browser.ask("/session", &wanted);
        made["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser
    }

    /// Opens an address, and what it leads to.
    #[track_caller]
    pub(crate) fn open(&self, url: &str) {
        self.ask(&self.path("url"), &json!({ "url": url }));
    }

    /// Clicks on what has this id, and waits for what it leads to.
    #[track_caller]
    pub(crate) fn click(&self, id: &str) {
        let before = self.url();
        let found =
            self.ask(&self.path("element"), &json!({ "using": "css selector", "value": format!("#{id}") }));
        let element = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.ask(&self.path(&format!("element/{element}/click")), &json!({}));
        eventually(START, "the click leads somewhere", || (self.url() != before).then_some(()));
    }

    /// The address that it shows.
    #[track_caller]
    pub(crate) fn url(&self) -> String {
        self.get("url")
    }

    /// The page that it shows.
    #[track_caller]
    pub(crate) fn page(&self) -> String {
        self.get("source")
    }

    #[track_caller]
    fn get(&self, what: &str) -> String {
        let (status, body) = http::get(&self.address, &self.path(what)).unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["value"].as_str().unwrap().to_owned()
    }

    fn path(&self, what: &str) -> String {
        format!("/session/{}/{what}", self.session)
    }

    #[track_caller]
    fn ask(&self, path: &str, body: &Value) -> Value {
        let (status, said) = http::post_within(&self.address, path, &body.to_string(), START).unwrap();
        assert_eq!(status, 200, "{path}: {said}");
        serde_json::from_str::<Value>(&said).unwrap()["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends with the test; the browser would outlive it.
        drop(http::delete(&self.address, &format!("/session/{}", self.session)));
    }
}

/// The program of this name.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| Path::is_file(file))
}
